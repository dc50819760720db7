// From selectors to boxes, and the tries.
#include "policy/policy-index.h"

#include <algorithm>
#include <bit>
#include <span>

#include "net/prefix.h"
#include "policy/spd.h"

namespace ike {
namespace {

using Key = PolicyIndex::Key;
using Box = PolicyIndex::Box;

constexpr std::size_t kRemote = 0;
constexpr std::size_t kLocal = 1;
constexpr std::size_t kLocalPort = 2;
constexpr std::size_t kRemotePort = 3;

Key keyOf(const Address& address) noexcept {
  return {address.high(), address.low(), static_cast<std::uint8_t>(address.length * 8)};
}

bool bitAt(const Key& key, unsigned bit) noexcept {
  return ((bit < 64 ? key.high << bit : key.low << (bit - 64)) >> 63) != 0;
}

unsigned commonBits(const Key& a, const Key& b) noexcept {
  const std::uint64_t high = a.high ^ b.high;
  const int same = high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(a.low ^ b.low);
  return std::min({static_cast<unsigned>(same), unsigned{a.lengthBits}, unsigned{b.lengthBits}});
}

Key shortened(const Key& key, unsigned lengthBits) noexcept {
  Key result = key;
  result.lengthBits = static_cast<std::uint8_t>(lengthBits);
  if (lengthBits < 64) result.high = lengthBits == 0 ? 0 : key.high >> (64 - lengthBits) << (64 - lengthBits);
  if (lengthBits < 128)
    result.low = lengthBits <= 64 ? 0 : key.low >> (128 - lengthBits) << (128 - lengthBits);
  return result;
}

/** The smallest prefix that holds both. */
Key enclosing(const Key& first, const Key& last) noexcept {
  return shortened(first, commonBits(first, last));
}

/** Protocol, whether there is a port, port: 8, 8 and 16 bits. */
Key portKey(std::uint8_t protocol, bool known, std::uint16_t port) noexcept {
  return {std::uint64_t{protocol} << 56 | std::uint64_t{known} << 48 | std::uint64_t{port} << 32, 0, 32};
}

Key portKeyOf(const Selector& selector, bool receiver) noexcept {
  if (selector.protocol == 0) return {};
  if (selector.opaque() && !(receiver && hasTypeForPorts(selector.protocol)))
    return shortened(portKey(selector.protocol, false, 0), 16);
  // A packet's type is the sender's (see matchesPair): the other side takes all of them.
  const bool any = (selector.startPort == 0 && selector.endPort == 65535) ||
                   selector.startPort > selector.endPort || (receiver && hasTypeForPorts(selector.protocol));
  if (any) return shortened(portKey(selector.protocol, true, 0), 8);
  return enclosing(portKey(selector.protocol, true, selector.startPort),
                   portKey(selector.protocol, true, selector.endPort));
}

struct Side {
  Key address;
  Key port;
  bool isV6;

  auto operator<=>(const Side&) const noexcept = default;
};

/** How exactly a range becomes prefixes. */
enum class Cut {
  /** As many as it takes. */
  exact,
  /** Two at most, neither more than twice as large as its part of the range. */
  halves,
  /** One for all ranges of a family. */
  whole,
};

void addHalves(std::vector<Side>& sides, const Selector& selector, const Key& port) {
  const Key first = keyOf(selector.start);
  const Key last = keyOf(selector.end);
  const bool isV6 = selector.start.isV6();
  const unsigned same = commonBits(first, last);
  if (same == first.lengthBits) {
    sides.push_back({first, port, isV6});
    return;
  }
  // Where the range passes from the lower to the upper half of the smallest prefix around it.
  Key middle = shortened(last, same + 1);
  middle.lengthBits = first.lengthBits;
  Key below = middle;
  if (first.lengthBits == 32) {
    below.high -= std::uint64_t{1} << 32;
  } else {
    below.high -= middle.low == 0 ? 1 : 0;
    below.low--;
  }
  sides.push_back({enclosing(first, below), port, isV6});
  sides.push_back({enclosing(middle, last), port, isV6});
}

std::vector<Side> sidesOf(std::span<const Selector> selectors, bool receiver, Cut cut) {
  std::vector<Side> sides;
  for (const Selector& selector : selectors) {
    if (selector.end.before(selector.start)) continue;
    const bool isV6 = selector.start.isV6();
    const Key port = portKeyOf(selector, receiver);
    if (cut == Cut::exact) {
      for (const Prefix& prefix : coverRange(selector.start, selector.end))
        sides.push_back({shortened(keyOf(prefix.address), prefix.lengthBits), port, isV6});
    } else if (cut == Cut::halves) {
      addHalves(sides, selector, port);
    } else {
      const Key range = enclosing(keyOf(selector.start), keyOf(selector.end));
      const auto same =
          std::find_if(sides.begin(), sides.end(), [isV6](const Side& side) { return side.isV6 == isV6; });
      if (same == sides.end())
        sides.push_back({range, port, isV6});
      else
        *same = {enclosing(same->address, range), enclosing(same->port, port), isV6};
    }
  }
  std::sort(sides.begin(), sides.end());
  sides.erase(std::unique(sides.begin(), sides.end()), sides.end());
  return sides;
}

struct Boxes {
  std::vector<Side> local;
  std::vector<Side> remote;
};

/** The same for a policy each time. */
Boxes boxesOf(const Policy& policy) {
  for (const Cut cut : {Cut::exact, Cut::halves, Cut::whole}) {
    Boxes boxes{sidesOf(policy.localTs, false, cut), sidesOf(policy.remoteTs, true, cut)};
    if (boxes.local.size() * boxes.remote.size() <= PolicyIndex::kMaxBoxes) return boxes;
  }
  return {};
}

template <typename Use>
void forEachBox(const Policy& policy, Use use) {
  const Boxes boxes = boxesOf(policy);
  for (const Side& remote : boxes.remote)
    for (const Side& local : boxes.local)
      if (remote.isV6 == local.isV6)
        use(remote.isV6, Box{remote.address, local.address, local.port, remote.port});
}

}  // namespace

struct alignas(64) PolicyIndex::Node {
  Node(const Key& prefix, const PolicyRank& rank) noexcept
      : high(prefix.high),
        low(prefix.low),
        age(rank.age),
        priority(rank.priority),
        lengthBits(prefix.lengthBits) {}

  Key key() const noexcept { return {high, low, lengthBits}; }
  PolicyRank best() const noexcept { return {age, priority}; }
  void setBest(const PolicyRank& rank) noexcept {
    age = rank.age;
    priority = rank.priority;
  }
  bool holds(const Key& whole) const noexcept { return commonBits(key(), whole) == lengthBits; }

  std::uint64_t high;
  std::uint64_t low;
  /** The best rank of all below. */
  std::uint64_t age;
  std::uint32_t priority;
  std::uint8_t lengthBits;
  std::array<std::unique_ptr<Node>, 2> children;
  /** The next level for boxes with this very prefix; at the last level the policies. */
  std::unique_ptr<Node> inner;
  std::unique_ptr<std::map<PolicyRank, Policy*>> policies;
};

struct PolicyIndex::Search {
  const PacketInfo& packet;
  Box keys;
  Policy* found = nullptr;
  PolicyRank best;
};

PolicyIndex::PolicyIndex() noexcept = default;
PolicyIndex::~PolicyIndex() = default;

void PolicyIndex::clear() noexcept {
  for (auto& root : roots_) root.reset();
}

void PolicyIndex::add(Policy& policy) {
  forEachBox(policy, [&](bool isV6, const Box& box) { insert(roots_[isV6 ? 1 : 0], box, 0, policy); });
}

void PolicyIndex::remove(const Policy& policy) {
  forEachBox(policy, [&](bool isV6, const Box& box) { erase(roots_[isV6 ? 1 : 0], box, 0, policy.rank()); });
}

void PolicyIndex::insert(std::unique_ptr<Node>& root, const Box& box, std::size_t level, Policy& policy) {
  const Key& key = box[level];
  const PolicyRank rank = policy.rank();
  std::unique_ptr<Node>* slot = &root;
  for (;;) {
    if (*slot == nullptr) *slot = std::make_unique<Node>(key, rank);
    const unsigned same = commonBits((*slot)->key(), key);
    if (same < (*slot)->lengthBits) {
      auto above = std::make_unique<Node>(shortened(key, same), (*slot)->best());
      above->children[bitAt((*slot)->key(), same) ? 1 : 0] = std::move(*slot);
      *slot = std::move(above);
    }
    Node& node = **slot;
    if (rank < node.best()) node.setBest(rank);
    if (same == key.lengthBits) break;
    slot = &node.children[bitAt(key, same) ? 1 : 0];
  }
  Node& node = **slot;
  if (level + 1 < kLevels) return insert(node.inner, box, level + 1, policy);
  if (node.policies == nullptr) node.policies = std::make_unique<std::map<PolicyRank, Policy*>>();
  node.policies->emplace(rank, &policy);
}

void PolicyIndex::erase(std::unique_ptr<Node>& slot, const Box& box, std::size_t level,
                        const PolicyRank& rank) {
  const Key& key = box[level];
  if (slot == nullptr || !slot->holds(key)) return;
  Node& node = *slot;
  if (node.lengthBits < key.lengthBits) {
    erase(node.children[bitAt(key, node.lengthBits) ? 1 : 0], box, level, rank);
  } else if (level + 1 < kLevels) {
    erase(node.inner, box, level + 1, rank);
  } else if (node.policies != nullptr) {
    node.policies->erase(rank);
    if (node.policies->empty()) node.policies.reset();
  }
  // What holds nothing of its own and does not part two others is in the way.
  if (node.inner == nullptr && node.policies == nullptr) {
    for (const std::size_t side : {0u, 1u})
      if (node.children[side] == nullptr) {
        std::unique_ptr<Node> other = std::move(node.children[1 - side]);
        slot = std::move(other);
        return;
      }
  }
  PolicyRank best;
  if (node.inner != nullptr) best = node.inner->best();
  if (node.policies != nullptr) best = node.policies->begin()->first;
  for (const auto& child : node.children)
    if (child != nullptr && child->best() < best) best = child->best();
  node.setBest(best);
}

Policy* PolicyIndex::find(const PacketInfo& packet) const noexcept {
  const bool senderOnly = hasTypeForPorts(packet.protocol);
  Search state{.packet = packet, .keys = {}, .found = nullptr, .best = {}};
  state.keys[kRemote] = keyOf(packet.destination);
  state.keys[kLocal] = keyOf(packet.source);
  state.keys[kLocalPort] = portKey(packet.protocol, packet.portsKnown, packet.sourcePort);
  state.keys[kRemotePort] =
      portKey(packet.protocol, packet.portsKnown, senderOnly ? std::uint16_t{0} : packet.destinationPort);
  search(roots_[packet.destination.isV6() ? 1 : 0].get(), 0, state);
  return state.found;
}

void PolicyIndex::search(const Node* node, std::size_t level, Search& state) noexcept {
  const Key& key = state.keys[level];
  while (node != nullptr && (node->best() < state.best || state.found == nullptr) && node->holds(key)) {
    if (node->inner != nullptr) search(node->inner.get(), level + 1, state);
    if (node->policies != nullptr)
      for (const auto& [rank, policy] : *node->policies) {
        if (state.found != nullptr && !(rank < state.best)) break;
        if (!matchesPair(policy->localTs, policy->remoteTs, state.packet)) continue;
        state.found = policy;
        state.best = rank;
        break;
      }
    if (node->lengthBits >= key.lengthBits) return;
    node = node->children[bitAt(key, node->lengthBits) ? 1 : 0].get();
  }
}

}  // namespace ike
