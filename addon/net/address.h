// IP addresses and UDP endpoints as bytes, and their way to and from the kernel's structures.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace ike {

/** An IPv4 (4 bytes) or IPv6 (16 bytes) address in network order; length 0: none. Bytes past the length are
 * zero. */
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t length = 0;

  static Address from(std::span<const std::uint8_t> bytes) noexcept;

  bool isV6() const noexcept { return length == 16; }
  /** No address at all, or the wildcard of its family. */
  bool unspecified() const noexcept;
  int family() const noexcept { return isV6() ? AF_INET6 : AF_INET; }
  std::span<const std::uint8_t> view() const noexcept { return {bytes.data(), length}; }
  std::string text() const;

  bool operator==(const Address&) const noexcept = default;
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
