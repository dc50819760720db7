// IP addresses and UDP endpoints as bytes, and their way to and from the kernel's structures.
#pragma once

#include <sys/socket.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace ike {

/** An IPv4 (4 bytes) or IPv6 (16 bytes) address in network order; length 0: none. Bytes past the length are
 * zero. */
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t length = 0;

  static Address from(std::span<const std::uint8_t> bytes) noexcept {
    // In halves, as comparisons read them: a processor waits when it reads more than was written at once.
    std::array<std::uint64_t, 2> halves = {};
    if (bytes.size() == 4)
      std::memcpy(halves.data(), bytes.data(), 4);
    else if (bytes.size() == 16)
      std::memcpy(halves.data(), bytes.data(), 16);
    else
      return {};
    Address address;
    std::memcpy(address.bytes.data(), halves.data(), 8);
    std::memcpy(address.bytes.data() + 8, &halves[1], 8);
    address.length = static_cast<std::uint8_t>(bytes.size());
    return address;
  }

  bool isV6() const noexcept { return length == 16; }
  /** No address at all, or the wildcard of its family. */
  bool unspecified() const noexcept;
  int family() const noexcept { return isV6() ? AF_INET6 : AF_INET; }
  std::span<const std::uint8_t> view() const noexcept { return {bytes.data(), length}; }
  std::string text() const;

  bool operator==(const Address& other) const noexcept {
    return ((half(0) ^ other.half(0)) | (half(8) ^ other.half(8))) == 0 && length == other.length;
  }
  /** Whether this one comes first in its family. */
  bool before(const Address& other) const noexcept {
    return high() != other.high() ? high() < other.high() : low() < other.low();
  }
  /** As a number of 128 bits, IPv4 in the highest 32. */
  std::uint64_t high() const noexcept { return inOrder(half(0)); }
  std::uint64_t low() const noexcept { return inOrder(half(8)); }

 private:
  std::uint64_t half(std::size_t offset) const noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  static std::uint64_t inOrder(std::uint64_t value) noexcept {
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
  }
};

struct Endpoint {
  Address address;
  std::uint16_t port = 0;

  std::string text() const;
  bool operator==(const Endpoint&) const noexcept = default;
};

/** Fills `storage` and returns the length of what is in it. */
socklen_t toSockaddr(const Endpoint& endpoint, sockaddr_storage& storage) noexcept;
/** An endpoint without address when the family is another. */
Endpoint fromSockaddr(const sockaddr_storage& storage) noexcept;

}  // namespace ike
