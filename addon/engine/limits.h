// The bounds of the engine's tables and queues.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ike {

/** Threads, in each direction. */
inline constexpr std::size_t kMaxWorkers = 16;
/** In each direction. */
inline constexpr std::size_t kMaxSas = 131072;
inline constexpr std::size_t kMaxPolicies = 65536;
inline constexpr std::size_t kMaxReservedSpis = 131072;
/** What traps hold, all together. */
inline constexpr std::size_t kMaxHeldBytes = 64 << 20;
inline constexpr std::int64_t kHoldNs = 30'000'000'000;
/** ESP packets that overtook the message which makes their SA: of one SPI, and of all. */
inline constexpr std::size_t kMaxEarlyOfSpi = 32;
inline constexpr std::size_t kMaxEarly = 1024;
inline constexpr std::int64_t kEarlyNs = 1'000'000'000;

}  // namespace ike
