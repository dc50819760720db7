// The database of policies against a plain walk through the list of them, for random policies, SAs and
// packets that change all the time; and what large databases must not do.
#include <algorithm>
#include <random>

#include "check.h"
#include "policy/spd.h"
#include "support.h"

namespace {

using ike::Address;
using ike::OutboundSa;
using ike::PacketInfo;
using ike::Policy;
using ike::SaSpec;
using ike::Selector;
using ike::Spd;
using support::NoSuite;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kIcmp = 1;

/** Few values, so that policies overlap and packets meet them. */
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t count) { return static_cast<std::uint32_t>(random_() % count); }
  bool oneIn(std::uint32_t count) { return below(count) == 0; }

  Address address(bool isV6) {
    std::array<std::uint8_t, 16> bytes{};
    const std::size_t length = isV6 ? 16 : 4;
    bytes[0] = static_cast<std::uint8_t>(oneIn(8) ? random_() : 10);
    // High, middle and low parts of it, so that prefixes of all lengths part them.
    bytes[1] = static_cast<std::uint8_t>(below(4) << 6);
    bytes[length / 2] = static_cast<std::uint8_t>(bytes[length / 2] ^ below(3));
    bytes[length - 1] = static_cast<std::uint8_t>(below(8) * 33);
    return Address::from(std::span(bytes).first(length));
  }

  Selector selector(bool isV6) {
    Selector selector;
    selector.start = address(isV6);
    selector.end = oneIn(3) ? selector.start : address(isV6);
    if (oneIn(6)) {
      selector.start = selector.end = Address::from(std::array<std::uint8_t, 16>{}).isV6() == isV6
                                          ? Address::from(std::array<std::uint8_t, 16>{})
                                          : Address::from(std::array<std::uint8_t, 4>{});
      std::fill_n(selector.end.bytes.begin(), selector.end.length, std::uint8_t{255});
    }
    if (selector.end.before(selector.start)) std::swap(selector.start, selector.end);
    const std::uint8_t protocols[] = {0, 0, kTcp, 17, kIcmp, 58, 135, 50};
    selector.protocol = protocols[below(8)];
    switch (below(4)) {
      case 0:
        selector.startPort = static_cast<std::uint16_t>(below(4) * 256);
        selector.endPort = static_cast<std::uint16_t>(selector.startPort + below(3) * 300);
        break;
      case 1:
        selector.startPort = 65535;
        selector.endPort = 0;
        break;
      default:
        break;
    }
    return selector;
  }

  std::vector<Selector> selectors(bool mixed) {
    std::vector<Selector> list;
    const std::uint32_t count = oneIn(20) ? 70 : 1 + below(3);
    const bool isV6 = oneIn(3);
    for (std::uint32_t i = 0; i < count; i++) list.push_back(selector(mixed ? oneIn(2) : isV6));
    return list;
  }

  PacketInfo packet() {
    PacketInfo packet;
    const bool isV6 = oneIn(3);
    packet.source = address(isV6);
    packet.destination = address(isV6);
    const std::uint8_t protocols[] = {kTcp, 17, kIcmp, 58, 135, 50};
    packet.protocol = protocols[below(6)];
    packet.portsKnown = packet.protocol != 50 && !oneIn(4);
    if (packet.portsKnown) {
      packet.sourcePort = static_cast<std::uint16_t>(below(6) * 128);
      if (packet.protocol == kTcp || packet.protocol == 17)
        packet.destinationPort = static_cast<std::uint16_t>(below(6) * 128);
    }
    packet.lengthBytes = 100;
    return packet;
  }

 private:
  std::mt19937 random_;
};

bool plainPort(const Selector& selector, bool known, std::uint16_t port) {
  if (selector.startPort == 0 && selector.endPort == 65535) return true;
  if (selector.startPort == 65535 && selector.endPort == 0) return !known;
  return known && selector.startPort <= port && port <= selector.endPort;
}

bool plainSide(const std::vector<Selector>& selectors, const PacketInfo& packet, bool sender) {
  const Address& address = sender ? packet.source : packet.destination;
  const bool typed = packet.protocol == 1 || packet.protocol == 58 || packet.protocol == 135;
  for (const Selector& selector : selectors) {
    if (selector.start.length != address.length) continue;
    if (selector.protocol != 0 && selector.protocol != packet.protocol) continue;
    if (address.bytes < selector.start.bytes || selector.end.bytes < address.bytes) continue;
    if (!sender && typed && packet.portsKnown) return true;
    if (plainPort(selector, packet.portsKnown, sender ? packet.sourcePort : packet.destinationPort))
      return true;
  }
  return false;
}

struct PlainSa {
  std::unique_ptr<OutboundSa> sa;
  std::vector<Selector> from;
  std::vector<Selector> to;
};

/** What the database must agree with: lists, asked one after the other. */
struct Walk {
  struct Entry {
    std::uint32_t id;
    std::uint32_t priority;
    Policy::Kind kind;
    std::vector<Selector> from;
    std::vector<Selector> to;
  };
  /** Oldest first. */
  std::vector<Entry> policies;
  std::vector<PlainSa> sas;

  std::pair<std::uint32_t, std::uint32_t> find(const PacketInfo& packet) const {
    const Entry* found = nullptr;
    for (const Entry& entry : policies)
      if (plainSide(entry.from, packet, true) && plainSide(entry.to, packet, false) &&
          (found == nullptr || entry.priority < found->priority))
        found = &entry;
    if (found == nullptr) return {0, 0};
    std::uint32_t sa = 0;
    if (found->kind == Policy::Kind::protect || found->kind == Policy::Kind::trap)
      for (const PlainSa& one : sas)
        if (one.sa->policyId() == found->id && plainSide(one.from, packet, true) &&
            plainSide(one.to, packet, false))
          sa = one.sa->id();
    return {found->id, sa};
  }
};

std::pair<std::uint32_t, std::uint32_t> ids(const Spd::Match& match) {
  return {match.policy == nullptr ? 0 : match.policy->id, match.sa == nullptr ? 0 : match.sa->id()};
}

void addPolicy(Spd& spd, Walk& walk, Dice& dice, std::uint32_t id) {
  auto policy = std::make_unique<Policy>();
  policy->id = id;
  policy->priority = dice.below(4) * 1000;
  const Policy::Kind kinds[] = {Policy::Kind::protect, Policy::Kind::protect, Policy::Kind::trap,
                                Policy::Kind::bypass, Policy::Kind::discard};
  policy->kind = kinds[dice.below(5)];
  const bool mixed = dice.oneIn(4);
  policy->localTs = dice.selectors(mixed);
  policy->remoteTs = dice.selectors(mixed);
  walk.policies.push_back({id, policy->priority, policy->kind, policy->localTs, policy->remoteTs});
  CHECK(spd.add(std::move(policy)));
}

void addSa(Spd& spd, Walk& walk, Dice& dice, std::uint32_t id, std::uint32_t policyId) {
  SaSpec spec;
  spec.id = id;
  spec.policyId = policyId;
  const auto policy = std::find_if(walk.policies.begin(), walk.policies.end(),
                                   [policyId](const Walk::Entry& entry) { return entry.id == policyId; });
  const bool mixed = dice.oneIn(4);
  const bool same = policy != walk.policies.end() && dice.oneIn(2);
  spec.localTs = same ? policy->from : dice.selectors(mixed);
  spec.remoteTs = same ? policy->to : dice.selectors(mixed);
  PlainSa one{nullptr, spec.localTs, spec.remoteTs};
  // Nothing is sealed here.
  one.sa = std::make_unique<OutboundSa>(std::move(spec), std::make_unique<NoSuite>());
  spd.attach(*one.sa);
  walk.sas.push_back(std::move(one));
}

/** How often a packet had an SA. */
std::size_t checkRandom(std::uint32_t seed) {
  Dice dice(seed);
  Spd spd;
  Walk walk;
  std::vector<PacketInfo> packets;
  for (int i = 0; i < 40; i++) packets.push_back(dice.packet());
  std::uint32_t nextId = 1;
  std::size_t met = 0;
  for (int step = 0; step < 100; step++) {
    switch (dice.below(6)) {
      case 0:
        if (!walk.policies.empty()) {
          const auto place =
              walk.policies.begin() + dice.below(static_cast<std::uint32_t>(walk.policies.size()));
          CHECK(spd.remove(place->id) != nullptr);
          CHECK(spd.find(place->id) == nullptr);
          walk.policies.erase(place);
        }
        break;
      case 1:
        if (!walk.sas.empty()) {
          const auto place = walk.sas.begin() + dice.below(static_cast<std::uint32_t>(walk.sas.size()));
          spd.detach(*place->sa);
          walk.sas.erase(place);
        }
        break;
      case 2:
      case 3:
        // Its policy may be there, come later, or never.
        addSa(spd, walk, dice, nextId, 1 + dice.below(nextId + 3));
        nextId++;
        break;
      default:
        addPolicy(spd, walk, dice, nextId++);
        break;
    }
    CHECK_EQ(spd.size(), walk.policies.size());
    // Each twice: from the search, then from the cache.
    for (const PacketInfo& packet : packets)
      for (int time = 0; time < 2; time++) {
        const auto wanted = walk.find(packet);
        const auto found = ids(spd.lookup(packet));
        CHECK_EQ(found.first, wanted.first);
        CHECK_EQ(found.second, wanted.second);
        met += wanted.second != 0 ? 1 : 0;
      }
  }
  return met;
}

Address v4(std::uint32_t number) {
  std::array<std::uint8_t, 4> bytes;
  ike::store32(bytes.data(), number);
  return Address::from(bytes);
}

}  // namespace

TEST(
    "RFC 4301 §4.4.1: the database finds the same policy and SA as a walk through the list, whatever is "
    "added and taken away") {
  std::size_t met = 0;
  for (std::uint32_t seed = 1; seed <= 40; seed++) met += checkRandom(seed);
  // Else little was compared but nothing with nothing.
  CHECK(met > 1000);
}

TEST("RFC 4301 §4.4.1.3: a type of ICMP is compared on the side of its sender only") {
  Selector echo;
  echo.protocol = kIcmp;
  echo.startPort = 8 * 256;
  echo.endPort = 8 * 256 + 255;
  echo.start = v4(0x0a010000);
  echo.end = v4(0x0a01ffff);
  Selector nothing = echo;
  nothing.startPort = 65535;
  nothing.endPort = 0;
  nothing.start = v4(0x0a020000);
  nothing.end = v4(0x0a02ffff);
  PacketInfo packet;
  packet.source = v4(0x0a010001);
  packet.destination = v4(0x0a020001);
  packet.protocol = kIcmp;
  packet.portsKnown = true;
  packet.sourcePort = 8 * 256;
  const std::vector<Selector> from{echo};
  const std::vector<Selector> to{nothing};
  CHECK(ike::matchesPair(from, to, packet));
  // The reverse direction may send none of a type that can be seen.
  std::swap(packet.source, packet.destination);
  CHECK(!ike::matchesPair(to, from, packet));
  packet.portsKnown = false;
  packet.sourcePort = 0;
  CHECK(!ike::matchesPair(to, from, packet));
}

TEST("a change leaves the cached flows of other neighbourhoods as they are") {
  ike::FlowCache cache;
  PacketInfo near;
  near.source = v4(0xac100001);
  near.destination = v4(0x0a000101);
  near.protocol = kTcp;
  PacketInfo far = near;
  far.destination = v4(0x0a630101);
  Policy policy;
  cache.store(ike::FlowKey(near), {&policy, nullptr});
  cache.store(ike::FlowKey(far), {&policy, nullptr});
  CHECK(cache.find(ike::FlowKey(near)) != nullptr);
  Selector any;
  any.start = v4(0);
  any.end = v4(0xffffffff);
  Selector one = any;
  one.start = one.end = v4(0x0a000105);
  const std::vector<Selector> everything{any};
  const std::vector<Selector> host{one};
  cache.invalidate(everything, host);
  CHECK(cache.find(ike::FlowKey(near)) == nullptr);
  CHECK(cache.find(ike::FlowKey(far)) != nullptr);
  cache.invalidate(everything, everything);
  CHECK(cache.find(ike::FlowKey(far)) == nullptr);
}
