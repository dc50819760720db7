// Taking apart what a netlink socket gives: messages in a buffer, attributes in a message, and the kernel's
// word on a request. Everything is checked against its bounds; what does not fit ends the walk.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

namespace ike {

/** The structure at an offset; undefined when the bytes end before it does. */
template <typename T>
requires std::is_trivially_copyable_v<T> std::optional<T> structureAt(std::span<const std::uint8_t> bytes,
                                                                      std::size_t offset = 0)
noexcept {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T structure;
  std::memcpy(&structure, bytes.data() + offset, sizeof structure);
  return structure;
}

struct NetlinkPart {
  nlmsghdr header{};
  /** What follows the header. */
  std::span<const std::uint8_t> body;
};

/** The messages of one buffer in turn. */
class NetlinkParts {
 public:
  explicit NetlinkParts(std::span<const std::uint8_t> buffer) noexcept : rest_(buffer) {}

  /** Nothing at the end, and where a message is longer than what is left: `truncated()` tells them apart. */
  std::optional<NetlinkPart> next() noexcept;
  bool truncated() const noexcept { return truncated_; }

 private:
  std::span<const std::uint8_t> rest_;
  bool truncated_ = false;
};

/** The attributes behind a structure. */
class NetlinkAttributes {
 public:
  explicit NetlinkAttributes(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

  /** The value of the first attribute of that type. */
  std::optional<std::span<const std::uint8_t>> find(std::uint16_t type) const noexcept;

  template <typename T>
  requires std::is_trivially_copyable_v<T> std::optional<T> get(std::uint16_t type)
  const noexcept {
    const auto value = find(type);
    return value ? structureAt<T>(*value) : std::nullopt;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/** The attributes behind the family's own structure; none where even that is cut short. */
template <typename T>
NetlinkAttributes attributesBehind(const NetlinkPart& part) noexcept {
  constexpr std::size_t kStart = NLMSG_ALIGN(sizeof(T));
  return NetlinkAttributes(part.body.size() < kStart ? std::span<const std::uint8_t>{}
                                                     : part.body.subspan(kStart));
}

/** NLMSG_ERROR, which is an acknowledgement too. */
struct NetlinkVerdict {
  /** errno; 0: done. */
  int error = 0;
  /** The kernel's words (NLMSGERR_ATTR_MSG), where it has some. */
  std::string words;
};

std::optional<NetlinkVerdict> readVerdict(const NetlinkPart& part);

}  // namespace ike
