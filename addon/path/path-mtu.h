// How large packets to each peer may be. The kernel knows: it has the routes, and checks and remembers what
// ICMP told it (RFC 1191, RFC 8201). We ask it for each peer, keep the answer, and ask again when a socket's
// error queue or a refused packet says that something changed, and once a minute. Safe for threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "net/address.h"

namespace ike {

/** Less is never believed: RFC 1122 §3.3.3 for IPv4 (the kernel's own floor is near it), RFC 8200 §5. */
inline constexpr std::size_t kMinIpv4PathBytes = 576;
inline constexpr std::size_t kMinIpv6PathBytes = 1280;

/** The MTU of the way to `peer`, as the kernel's routes for packets with `mark` have it, what ICMP taught
 * them included; 0 when there is none. */
std::size_t kernelPathMtu(const Address& peer, std::uint32_t mark) noexcept;

class PathMtu {
 public:
  /** In place of the kernel, for tests. */
  using Ask = std::size_t (*)(const Address& peer, std::uint32_t mark) noexcept;

  static constexpr std::size_t kMaxPeers = 131072;
  /** RFC 1191 §6.3: after ten minutes a larger value is tried. */
  static constexpr std::int64_t kLearnedNs = 600'000'000'000;
  static constexpr std::int64_t kAskNs = 60'000'000'000;
  /** Assumed where the kernel has no route; packets will not leave anyway. */
  static constexpr std::size_t kUnknownBytes = 1500;

  /** `learnedNs`: how long what ICMP said is believed. */
  explicit PathMtu(std::uint32_t mark, Ask ask = kernelPathMtu, std::int64_t learnedNs = kLearnedNs) noexcept
      : mark_(mark), ask_(ask), learnedNs_(learnedNs) {}

  /** Counts the changes of any peer's value. */
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  /** The MTU to a peer, which is remembered from then on. */
  std::size_t to(const Address& peer, std::int64_t nowNs);
  /** An ICMP message (its MTU in `mtuBytes`) or a refused packet (0) says that less than thought fits.
   * Nothing happens for peers that `to` was never asked for. */
  void learn(const Address& peer, std::size_t mtuBytes, std::int64_t nowNs);

  std::size_t peers() const;
  std::uint32_t mark() const noexcept { return mark_; }

 private:
  struct Hash {
    std::size_t operator()(const Address& address) const noexcept;
  };
  struct Peer {
    std::size_t mtuBytes = 0;
    /** What ICMP said, until when. */
    std::size_t learnedBytes = 0;
    std::int64_t learnedUntilNs = 0;
    std::int64_t askedNs = 0;
    std::int64_t usedNs = 0;
  };

  void refresh(const Address& address, Peer& peer, std::int64_t nowNs);
  bool makeRoom(std::int64_t nowNs);

  const std::uint32_t mark_;
  const Ask ask_;
  const std::int64_t learnedNs_;
  std::atomic<std::uint64_t> version_ = 1;
  mutable std::mutex mutex_;
  std::unordered_map<Address, Peer, Hash> peers_;
  std::int64_t sweptNs_ = 0;
};

/** What a socket's error queue says of paths goes to `paths`; the queue is empty then. For whoever is told of
 * an error of the socket: it stays until somebody has done this. */
void learnFromErrors(int fd, PathMtu& paths, std::int64_t nowNs);

}  // namespace ike
