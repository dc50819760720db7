// Taking apart what a PF_KEY socket gives: one message a read, extensions in it. Everything is checked
// against its bounds.
#pragma once

#include <linux/pfkeyv2.h>

#include <array>
#include <optional>
#include <span>

#include "net/address.h"
#include "net/netlink-reader.h"

namespace ike::pfkey {

/** A message whose extensions all lie within it, each type once. */
class Reading {
 public:
  /** Nothing where the header, its length or an extension does not fit the bytes. */
  static std::optional<Reading> of(std::span<const std::uint8_t> bytes) noexcept;

  const sadb_msg& header() const noexcept { return header_; }
  /** The whole extension; empty where there is none. */
  std::span<const std::uint8_t> extension(std::uint16_t type) const noexcept { return extensions_[type]; }

  template <typename T>
  std::optional<T> get(std::uint16_t type) const noexcept {
    return structureAt<T>(extensions_[type]);
  }

  /** An address extension and its socket address; without address for other families. */
  struct Side {
    Endpoint endpoint;
    std::uint8_t bits = 0;
    std::uint8_t protocol = 0;
  };
  std::optional<Side> side(std::uint16_t type) const noexcept;

 private:
  sadb_msg header_{};
  std::array<std::span<const std::uint8_t>, SADB_EXT_MAX + 1> extensions_{};
};

/** A struct sockaddr_in or sockaddr_in6; without address where it is cut short or something else. */
Endpoint endpointAt(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace ike::pfkey
