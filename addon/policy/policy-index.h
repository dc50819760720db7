// Which policy a packet belongs to, without asking all of them. Tries of prefixes inside tries of prefixes,
// path-compressed: remote address, local address, protocol with local port, protocol with remote port; at the
// end the policies of one box of these four, in the order of their rank. Every node knows the best rank below
// it, so that a search leaves out what cannot win any more. Boxes may be larger than what a policy is for:
// the policy itself has the last word.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "policy/packet-info.h"
#include "policy/selector.h"

namespace ike {

struct Policy;

/** The order of policies: the lower priority wins, among equals the older. */
struct PolicyRank {
  std::uint64_t age = UINT64_MAX;
  std::uint32_t priority = UINT32_MAX;

  bool before(const PolicyRank& other) const noexcept {
    return priority != other.priority ? priority < other.priority : age < other.age;
  }
  bool operator<(const PolicyRank& other) const noexcept { return before(other); }
};

class PolicyIndex {
 public:
  PolicyIndex() noexcept;
  ~PolicyIndex();
  PolicyIndex(const PolicyIndex&) = delete;
  PolicyIndex& operator=(const PolicyIndex&) = delete;

  /** The selectors and the rank of a policy must stay as they are until it is removed. */
  void add(Policy& policy);
  void remove(const Policy& policy);
  void clear() noexcept;
  /** Null: none. */
  Policy* find(const PacketInfo& packet) const noexcept;

  /** A prefix of up to 128 bits, its bits at the high end. */
  struct Key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::uint8_t lengthBits = 0;

    auto operator<=>(const Key&) const noexcept = default;
  };
  static constexpr std::size_t kLevels = 4;
  using Box = std::array<Key, kLevels>;

  /** In how many boxes a policy may stand. Whoever needs more stands in fewer and larger ones. */
  static constexpr std::size_t kMaxBoxes = 64;

 private:
  struct Node;
  struct Search;

  static void insert(std::unique_ptr<Node>& root, const Box& box, std::size_t level, Policy& policy);
  static void erase(std::unique_ptr<Node>& slot, const Box& box, std::size_t level, const PolicyRank& rank);
  static void search(const Node* node, std::size_t level, Search& state) noexcept;

  /** IPv4, IPv6. */
  std::array<std::unique_ptr<Node>, 2> roots_;
};

}  // namespace ike
