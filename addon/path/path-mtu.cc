// The table, then the question to the kernel.
#include "path/path-mtu.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "net/error-queue.h"
#include "net/fd.h"

namespace ike {
namespace {

/** Any; nothing is sent. */
constexpr std::uint16_t kPort = 4500;

std::size_t floorBytes(const Address& address) noexcept {
  return address.isV6() ? kMinIpv6PathBytes : kMinIpv4PathBytes;
}

}  // namespace

std::size_t kernelPathMtu(const Address& peer, std::uint32_t mark) noexcept {
  const Fd fd(::socket(peer.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) return 0;
  sockaddr_storage storage;
  const socklen_t length = toSockaddr({peer, kPort}, storage);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return 0;
  int mtu = 0;
  socklen_t size = sizeof mtu;
  const int status = peer.isV6() ? ::getsockopt(fd.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &size)
                                 : ::getsockopt(fd.get(), IPPROTO_IP, IP_MTU, &mtu, &size);
  return status == 0 && mtu > 0 ? static_cast<std::size_t>(mtu) : 0;
}

std::size_t PathMtu::Hash::operator()(const Address& address) const noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::uint8_t byte : address.view()) hash = (hash ^ byte) * 0x100000001b3u;
  return static_cast<std::size_t>(hash);
}

std::size_t PathMtu::to(const Address& peer, std::int64_t nowNs) {
  const std::lock_guard lock(mutex_);
  auto place = peers_.find(peer);
  if (place == peers_.end()) {
    Peer fresh;
    if (peers_.size() >= kMaxPeers && !makeRoom(nowNs)) {
      refresh(peer, fresh, nowNs);
      return fresh.mtuBytes;
    }
    place = peers_.emplace(peer, fresh).first;
    refresh(peer, place->second, nowNs);
  } else if (nowNs - place->second.askedNs >= kAskNs) {
    refresh(peer, place->second, nowNs);
  }
  place->second.usedNs = nowNs;
  return place->second.mtuBytes;
}

void PathMtu::learn(const Address& peer, std::size_t mtuBytes, std::int64_t nowNs) {
  const std::lock_guard lock(mutex_);
  const auto place = peers_.find(peer);
  if (place == peers_.end()) return;
  Peer& known = place->second;
  if (mtuBytes > 0) {
    const bool valid = known.learnedUntilNs > nowNs;
    const std::size_t believed = std::max(mtuBytes, floorBytes(peer));
    if (!valid || believed <= known.learnedBytes) {
      known.learnedBytes = believed;
      known.learnedUntilNs = nowNs + learnedNs_;
    }
  }
  refresh(peer, known, nowNs);
}

std::size_t PathMtu::peers() const {
  const std::lock_guard lock(mutex_);
  return peers_.size();
}

void PathMtu::refresh(const Address& address, Peer& peer, std::int64_t nowNs) {
  const std::size_t asked = ask_(address, mark_);
  std::size_t bytes = asked == 0 ? kUnknownBytes : std::max(asked, floorBytes(address));
  if (peer.learnedUntilNs > nowNs) bytes = std::min(bytes, peer.learnedBytes);
  peer.askedNs = nowNs;
  if (bytes == peer.mtuBytes) return;
  const bool first = peer.mtuBytes == 0;
  peer.mtuBytes = bytes;
  // Nobody has an old value of a new peer.
  if (!first) version_.fetch_add(1, std::memory_order_release);
}

/** Forgets whom nobody asked for since long, at most once a second. */
bool PathMtu::makeRoom(std::int64_t nowNs) {
  if (sweptNs_ != 0 && nowNs - sweptNs_ < 1'000'000'000) return false;
  sweptNs_ = nowNs;
  return std::erase_if(peers_, [nowNs](const auto& entry) {
           return nowNs - entry.second.usedNs > 2 * kAskNs && entry.second.learnedUntilNs <= nowNs;
         }) > 0;
}

void learnFromErrors(int fd, PathMtu& paths, std::int64_t nowNs) {
  // More than a queue holds at once; what comes meanwhile is for the next time.
  constexpr int kMaxRounds = 64;
  std::array<PathError, 16> errors;
  for (int i = 0; i < kMaxRounds; i++) {
    const std::size_t count = readErrorQueue(fd, errors);
    for (const PathError& error : std::span(errors).first(count))
      paths.learn(error.peer, error.mtuBytes, nowNs);
    if (count < errors.size()) return;
  }
}

}  // namespace ike
