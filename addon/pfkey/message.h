// A PF_KEY message under construction (RFC 2367 §2.1): a header and extensions, each a multiple of 8 bytes.
// Numbers are the host's, but for SPIs and ports. Overwritten before its memory is given back.
#pragma once

#include <linux/pfkeyv2.h>
#include <openssl/crypto.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "net/address.h"

namespace ike::pfkey {

/** Lengths are counted in these. */
inline constexpr std::size_t kUnitBytes = 8;

class Message {
 public:
  /** Room for all but policies with many templates. */
  static constexpr std::size_t kRoom = 1024;

  Message() = default;
  Message(std::uint8_t type, std::uint8_t saType) {
    bytes_.reserve(kRoom);
    append(sadb_msg{.sadb_msg_version = PF_KEY_V2,
                    .sadb_msg_type = type,
                    .sadb_msg_errno = 0,
                    .sadb_msg_satype = saType,
                    .sadb_msg_len = 0,
                    .sadb_msg_reserved = 0,
                    .sadb_msg_seq = 0,
                    .sadb_msg_pid = 0});
  }
  Message(Message&& other) noexcept = default;
  Message& operator=(Message&& other) noexcept {
    wipe();
    bytes_ = std::move(other.bytes_);
    return *this;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() { wipe(); }

  /** Opens an extension with its structure, whose first two fields are filled in; what is appended until
   * `end` is in it. */
  template <typename T>
  std::size_t begin(std::uint16_t type, const T& structure) {
    const std::size_t place = bytes_.size();
    append(structure);
    std::memcpy(bytes_.data() + place + offsetof(sadb_ext, sadb_ext_type), &type, sizeof type);
    return place;
  }

  void end(std::size_t place) {
    append(std::span<const std::uint8_t>{}, (kUnitBytes - (bytes_.size() - place) % kUnitBytes) % kUnitBytes);
    setUnits(place + offsetof(sadb_ext, sadb_ext_len), bytes_.size() - place);
  }

  template <typename T>
  void extension(std::uint16_t type, const T& structure) {
    end(begin(type, structure));
  }

  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void append(const T& structure) {
    append(std::span(reinterpret_cast<const std::uint8_t*>(&structure), sizeof structure), 0);
  }
  void append(std::span<const std::uint8_t> value, std::size_t zeros) {
    const std::size_t used = bytes_.size();
    const std::size_t needed = used + value.size() + zeros;
    if (needed > bytes_.capacity()) grow(needed);
    bytes_.resize(needed);
    if (!value.empty()) std::memcpy(bytes_.data() + used, value.data(), value.size());
  }
  /** A struct sockaddr_in or sockaddr_in6. */
  void append(const Endpoint& endpoint) {
    sockaddr_storage storage{};
    const socklen_t length = toSockaddr(endpoint, storage);
    append(std::span(reinterpret_cast<const std::uint8_t*>(&storage), length), 0);
  }

  std::size_t size() const noexcept { return bytes_.size(); }
  /** Ends a struct sadb_x_ipsecrequest that began at `place`, whose length counts bytes. */
  void endRequest(std::size_t place) noexcept {
    const auto lengthBytes = static_cast<std::uint16_t>(bytes_.size() - place);
    std::memcpy(bytes_.data() + place, &lengthBytes, sizeof lengthBytes);
  }

  /** The whole message. */
  std::span<const std::uint8_t> finish(std::uint32_t sequence, std::uint32_t pid) noexcept {
    if (bytes_.size() < sizeof(sadb_msg)) return {};
    setUnits(offsetof(sadb_msg, sadb_msg_len), bytes_.size());
    std::memcpy(bytes_.data() + offsetof(sadb_msg, sadb_msg_seq), &sequence, sizeof sequence);
    std::memcpy(bytes_.data() + offsetof(sadb_msg, sadb_msg_pid), &pid, sizeof pid);
    return bytes_;
  }

 private:
  void setUnits(std::size_t place, std::size_t lengthBytes) noexcept {
    const auto units = static_cast<std::uint16_t>(lengthBytes / kUnitBytes);
    std::memcpy(bytes_.data() + place, &units, sizeof units);
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

}  // namespace ike::pfkey
