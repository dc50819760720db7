// The sending half of the engine, without a device: what traps hold and let go, what is told and when, the
// bounds of its tables.
#include "engine/outbound-core.h"

#include "check.h"
#include "engine/limits.h"
#include "support.h"

namespace {

using namespace support;
using ike::Drop;
using ike::Event;
using ike::Mailbox;
using ike::OutboundCore;
using ike::Policy;

constexpr std::uint32_t kSpi = 0x2000;

ike::Status addSa(OutboundCore& core, std::uint32_t id, std::vector<ike::Selector> remoteTs = everything()) {
  ike::SaSpec spec = specOf(kGcm128, false, id, kSpi + id);
  spec.remoteTs = std::move(remoteTs);
  auto suite = ike::Suite::create(spec.keys, true);
  return core.addSa(std::move(spec), std::move(suite));
}

Drop send(OutboundCore& core, const Bytes& inner, std::int64_t nowNs = kSecondNs) {
  Batch batch;
  batch.addInner(inner);
  transmit(core, batch.packets(), nowNs);
  return batch[0].drop;
}

/** SPI and number of what the core lets go now. */
std::vector<std::pair<std::uint32_t, std::uint32_t>> letGo(OutboundCore& core) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> gone;
  std::array<ike::Packet, 8> room;
  while (core.hasReleased()) {
    const std::size_t count = core.released(room, kSecondNs);
    for (const ike::Packet& packet : std::span(room).first(count)) {
      CHECK_EQ(packet.drop, Drop::none);
      gone.emplace_back(ike::load32(packet.bytes().data()), ike::load32(packet.bytes().data() + 4));
    }
  }
  return gone;
}

TEST(
    "RFC 4301 §5.1: without policy nothing leaves, with a policy but without SA neither, and what is no "
    "packet never") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK_EQ(send(core, udpPacket(false, 10)), Drop::noPolicy);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::protect)));
  CHECK_EQ(send(core, udpPacket(false, 10)), Drop::noSa);
  CHECK(!addSa(core, 1));
  CHECK_EQ(send(core, udpPacket(false, 10)), Drop::none);
  std::mt19937 random(2);
  for (int round = 0; round < 5000; round++) {
    Bytes bytes = udpPacket(round % 2 == 0, 30);
    bytes.resize(random() % bytes.size());
    CHECK(send(core, bytes) != Drop::none);
  }
  CHECK_EQ(core.stats().packets, 1u);
}

TEST("a trap tells once, holds so many packets, and lets them go in order when an SA comes for them") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::trap)));
  for (int i = 0; i < 11; i++) CHECK(send(core, udpPacket(false, 100, 7)) != Drop::none);
  CHECK_EQ(dropped(core.stats().drops, Drop::heldOverflow), 3u);
  const auto events = mailbox.take().events;
  CHECK_EQ(events.size(), 1u);
  CHECK(events[0].type == Event::Type::acquire && events[0].id == 1);
  CHECK_EQ(events[0].packet.destinationPort, 7);

  // An SA for others leaves them where they are.
  CHECK(!addSa(core, 5, {everything(true)}));
  CHECK(!core.hasReleased());
  CHECK(!addSa(core, 6));
  const auto gone = letGo(core);
  CHECK_EQ(gone.size(), 8u);
  for (std::uint32_t i = 0; i < gone.size(); i++) CHECK(gone[i] == std::pair(kSpi + 6, i + 1));
  CHECK_EQ(send(core, udpPacket(false, 100)), Drop::none);
}

TEST("a trap whose cry was not heard cries again; one whose packets grew old begins anew") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::trap)));
  while (mailbox.post(Event(Event::Type::mapping))) {
  }
  send(core, udpPacket(false, 10));
  mailbox.take();
  send(core, udpPacket(false, 10));
  CHECK_EQ(mailbox.take().events.size(), 1u);
  core.tick(kSecondNs + ike::kHoldNs);
  CHECK_EQ(dropped(core.stats().drops, Drop::heldExpired), 0u);
  core.tick(kSecondNs + ike::kHoldNs + 1);
  CHECK_EQ(dropped(core.stats().drops, Drop::heldExpired), 2u);
  send(core, udpPacket(false, 10));
  CHECK_EQ(mailbox.take().events.size(), 1u);
  core.deletePolicy(1);
  CHECK_EQ(dropped(core.stats().drops, Drop::noPolicy), 1u);
}

TEST("what all traps hold together is bounded in bytes, and the bytes are given back") {
  Mailbox mailbox;
  const Bytes large = udpPacket(false, 60'000);
  const std::size_t fit = ike::kMaxHeldBytes / large.size();
  auto core = senderOf<ike::OutboundCore>(mailbox, 2 * fit);
  std::uint64_t overflown = 0;
  // Again after the packets were dropped with their policy, and again after they were sent.
  for (int round = 0; round < 3; round++) {
    CHECK(!core.addPolicy(policyOf(1, Policy::Kind::trap)));
    CHECK(!core.addPolicy(policyOf(2, Policy::Kind::trap, 20)));
    for (std::size_t i = 0; i < fit + 3; i++) send(core, large);
    CHECK_EQ(dropped(core.stats().drops, Drop::heldOverflow), overflown += 3);
    if (round == 1) {
      CHECK(!addSa(core, 1));
      CHECK_EQ(letGo(core).size(), fit);
      core.deleteSa(1);
    }
    core.deletePolicy(1);
    core.deletePolicy(2);
  }
}

TEST("an SA that goes before the packets that were let go for it takes them with it, counted") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::trap)));
  for (int i = 0; i < 5; i++) send(core, udpPacket(false, 10));
  CHECK(!addSa(core, 1));
  CHECK(core.hasReleased());
  core.deleteSa(1);
  CHECK(letGo(core).empty());
  CHECK_EQ(dropped(core.stats().drops, Drop::noSa), 5u);
}

TEST("the newest SA that a packet matches carries it, and when it goes the one before it does") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::protect)));
  CHECK(!addSa(core, 1));
  CHECK(!addSa(core, 2));
  CHECK(!addSa(core, 3, {everything(true)}));
  const auto carrier = [&core](bool v6) {
    Batch batch;
    batch.addInner(udpPacket(v6, 10));
    transmit(core, batch.packets(), kSecondNs);
    CHECK_EQ(batch[0].drop, Drop::none);
    return ike::load32(batch[0].bytes().data()) - kSpi;
  };
  // Twice: once by the list, once by the cache of flows.
  for (int i = 0; i < 2; i++) CHECK_EQ(carrier(false), 2u);
  for (int i = 0; i < 2; i++) CHECK_EQ(carrier(true), 3u);
  core.deleteSa(2);
  for (int i = 0; i < 2; i++) CHECK_EQ(carrier(false), 1u);
  core.deleteSa(1);
  CHECK_EQ(send(core, udpPacket(false, 10)), Drop::noSa);
  CHECK_EQ(carrier(true), 3u);
}

TEST("sending SAs are taken up to the bound, and room is there again when one goes") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  const auto add = [&core](std::uint32_t id) {
    ike::SaSpec spec;
    spec.id = id;
    spec.spi = 256 + id;
    return core.addSa(std::move(spec), std::make_unique<NoSuite>());
  };
  for (std::uint32_t id = 0; id < ike::kMaxSas; id++) CHECK(!add(id));
  const ike::Status refused = add(ike::kMaxSas);
  CHECK(refused.has_value());
  CHECK_EQ(std::string(refused->code), std::string("ERR_IKE_LIMIT"));
  core.deleteSa(ike::kMaxSas - 1);
  CHECK(!add(ike::kMaxSas));
}

TEST("a packet that leaves no room for ESP in its slot is dropped, whichever side is too small") {
  Mailbox mailbox;
  auto core = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::protect)));
  CHECK(!addSa(core, 1));
  const Bytes inner = udpPacket(false, 10);
  std::size_t sealed = 0;
  for (std::size_t before = 0; before <= ike::kHeadroom; before++)
    for (std::size_t after = 0; after <= ike::kTailroom; after += 4) {
      const auto memory = std::make_unique<std::uint8_t[]>(before + inner.size() + after);
      std::copy(inner.begin(), inner.end(), memory.get() + before);
      ike::Packet packet({memory.get(), before + inner.size() + after}, before, inner.size());
      transmit(core, {&packet, 1}, kSecondNs);
      sealed += packet.drop == Drop::none;
      CHECK(packet.offset + packet.lengthBytes <= packet.slot.size());
    }
  CHECK(sealed > 0);
  CHECK_EQ(core.querySa(1)->counters.packets, sealed);
}

}  // namespace
