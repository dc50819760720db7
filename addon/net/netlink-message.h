// A netlink message under construction: header, the family's own structure, attributes that may hold others.
// Overwritten before its memory is given back, for some hold keys.
#pragma once

#include <linux/netlink.h>
#include <openssl/crypto.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace ike {

/** What is copied as it lies in memory. */
template <typename T>
concept NetlinkStructure = std::is_trivially_copyable_v<T> && !requires(const T& value) {
  value.data();
};

class NetlinkMessage {
 public:
  /** Room for all but the longest; a message that needs more grows and leaves nothing behind. */
  static constexpr std::size_t kRoom = 1024;

  NetlinkMessage() = default;
  NetlinkMessage(std::uint16_t type, unsigned flags) {
    bytes_.reserve(kRoom);
    append(nlmsghdr{.nlmsg_len = 0,
                    .nlmsg_type = type,
                    .nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                    .nlmsg_seq = 0,
                    .nlmsg_pid = 0});
  }
  NetlinkMessage(NetlinkMessage&& other) noexcept = default;
  NetlinkMessage& operator=(NetlinkMessage&& other) noexcept {
    wipe();
    bytes_ = std::move(other.bytes_);
    return *this;
  }
  NetlinkMessage(const NetlinkMessage&) = delete;
  NetlinkMessage& operator=(const NetlinkMessage&) = delete;
  ~NetlinkMessage() { wipe(); }

  template <NetlinkStructure T>
  void append(const T& structure) {
    append(std::span(reinterpret_cast<const std::uint8_t*>(&structure), sizeof structure));
  }

  void attribute(std::uint16_t type, std::span<const std::uint8_t> value) {
    const std::size_t place = begin(type);
    append(value);
    end(place, value.size());
  }

  template <NetlinkStructure T>
  void attribute(std::uint16_t type, const T& value) {
    attribute(type, std::span(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
  }

  /** With the zero at its end. */
  void text(std::uint16_t type, const std::string& value) {
    attribute(type, std::span(reinterpret_cast<const std::uint8_t*>(value.c_str()), value.size() + 1));
  }

  /** Opens an attribute; what is appended until `end` is in it. */
  std::size_t begin(std::uint16_t type) {
    const std::size_t place = bytes_.size();
    append(nlattr{.nla_len = sizeof(nlattr), .nla_type = type});
    return place;
  }
  void end(std::size_t place) { end(place, bytes_.size() - place - sizeof(nlattr)); }

  /** Rounded up to a multiple of 4. */
  void append(std::span<const std::uint8_t> value) {
    const std::size_t used = bytes_.size();
    const std::size_t needed = used + NLMSG_ALIGN(value.size());
    if (needed > bytes_.capacity()) grow(needed);
    bytes_.resize(needed);
    if (!value.empty()) std::memcpy(bytes_.data() + used, value.data(), value.size());
  }

  /** The whole message. */
  std::span<const std::uint8_t> finish(std::uint32_t sequence) noexcept {
    if (bytes_.size() < sizeof(nlmsghdr)) return {};
    const auto lengthBytes = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &lengthBytes, sizeof lengthBytes);
    std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof sequence);
    return bytes_;
  }

 private:
  void end(std::size_t place, std::size_t valueBytes) noexcept {
    const auto lengthBytes = static_cast<std::uint16_t>(sizeof(nlattr) + valueBytes);
    std::memcpy(bytes_.data() + place, &lengthBytes, sizeof lengthBytes);
  }

  void grow(std::size_t needed) {
    std::vector<std::uint8_t> larger;
    larger.reserve(2 * needed);
    larger.assign(bytes_.begin(), bytes_.end());
    wipe();
    bytes_ = std::move(larger);
  }

  void wipe() noexcept {
    if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
  }

  std::vector<std::uint8_t> bytes_;
};

}  // namespace ike
