// The receiving half of the engine, without sockets: hostile packets, the bounds of its tables, packets that
// come too early.
#include "engine/inbound-core.h"

#include <set>

#include "check.h"
#include "engine/limits.h"
#include "engine/outbound-core.h"
#include "support.h"

namespace {

using namespace support;
using ike::Drop;
using ike::InboundCore;
using ike::Mailbox;

constexpr std::uint32_t kSpi = 0x1000;

/** A sender and a receiver with the two ends of one SA. */
struct Pair {
  explicit Pair(const SuiteChoice& choice = kGcm128, bool esn = false) : choice_(choice), esn_(esn) {
    CHECK(!sender.addPolicy(policyOf(1, ike::Policy::Kind::protect)));
    ike::SaSpec spec = specOf(choice, false, 1, kSpi, esn);
    auto suite = ike::Suite::create(spec.keys, true);
    CHECK(suite != nullptr);
    CHECK(!sender.addSa(std::move(spec), std::move(suite)));
  }

  void addReceivingSa() {
    ike::SaSpec spec = specOf(choice_, true, 2, kSpi, esn_);
    auto suite = ike::Suite::create(spec.keys, false);
    CHECK(!receiver.addSa(std::move(spec), std::move(suite)));
  }

  /** What the sender makes of an inner packet. */
  Bytes sealed(const Bytes& inner) {
    Batch batch;
    batch.addInner(inner);
    transmit(sender, batch.packets(), kSecondNs);
    CHECK_EQ(batch[0].drop, Drop::none);
    return copyOf(batch[0]);
  }

  Drop open(const Bytes& outer) {
    Batch batch;
    batch.addOuter(outer);
    receive(receiver, batch.packets(), kSecondNs);
    return batch[0].drop;
  }

  std::uint64_t drops(Drop drop) { return dropped(receiver.stats().drops, drop); }

  Mailbox mailbox;
  ike::OutboundCore sender = senderOf<ike::OutboundCore>(mailbox, 8);
  InboundCore receiver{mailbox};

 private:
  SuiteChoice choice_;
  bool esn_;
};

TEST(
    "RFC 4303 §3.3 §3.4: every suite, with and without ESN: batches of all lengths come out as they went "
    "in") {
  for (const SuiteChoice& choice : allSuites())
    for (const bool esn : {false, true}) {
      Pair pair(choice, esn);
      pair.addReceivingSa();
      Batch inner;
      std::vector<Bytes> expected;
      for (std::size_t i = 0; i < ike::kBatch; i++) {
        expected.push_back(udpPacket(i % 3 == 0, i < 40 ? i : i * 21, 7, static_cast<std::uint8_t>(i)));
        inner.addInner(expected.back());
      }
      transmit(pair.sender, inner.packets(), kSecondNs);
      Batch outer;
      for (ike::Packet& packet : inner.packets()) {
        CHECK_EQ(packet.drop, Drop::none);
        outer.addOuter(packet.bytes());
      }
      receive(pair.receiver, outer.packets(), kSecondNs);
      for (std::size_t i = 0; i < ike::kBatch; i++) {
        CHECK_EQ(outer[i].drop, Drop::none);
        CHECK_EQ(outer[i].bytes(), expected[i]);
      }
      CHECK_EQ(pair.receiver.stats().packets, ike::kBatch);
    }
}

TEST(
    "RFC 4303 §3.4.4.1: a packet of which one bit is another never comes through and never moves the "
    "window") {
  for (const SuiteChoice& choice : allSuites()) {
    Pair pair(choice, true);
    pair.addReceivingSa();
    const Bytes good = pair.sealed(udpPacket(false, 21));
    for (std::size_t bit = 0; bit < good.size() * 8; bit++) {
      Bytes bad = good;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      CHECK(pair.open(bad) != Drop::none);
      CHECK_EQ(pair.receiver.querySa(2)->sequence, 0u);
    }
    CHECK_EQ(pair.receiver.stats().packets, 0u);
    CHECK_EQ(pair.open(good), Drop::none);
  }
}

TEST("packets cut short or made longer, at every length, are dropped and counted") {
  for (const SuiteChoice& choice : allSuites()) {
    Pair pair(choice);
    pair.addReceivingSa();
    const Bytes good = pair.sealed(udpPacket(true, 30));
    std::uint64_t count = 0;
    for (std::size_t length = 0; length < good.size() + 40; length++) {
      if (length == good.size()) continue;
      Bytes bad = good;
      bad.resize(length);
      CHECK(pair.open(bad) != Drop::none);
      count++;
    }
    CHECK_EQ(pair.drops(Drop::malformed) + pair.drops(Drop::integrity), count);
    CHECK_EQ(pair.open(good), Drop::none);
  }
}

TEST("random bytes for a known SPI and for unknown ones are dropped, all of them counted once") {
  Pair pair;
  pair.addReceivingSa();
  std::mt19937 random(1);
  constexpr std::size_t kRounds = 300;
  for (std::size_t round = 0; round < kRounds; round++) {
    Batch batch;
    for (std::size_t i = 0; i < ike::kBatch; i++) {
      Bytes bytes(random() % 200);
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
      if (random() % 2 == 0 && bytes.size() >= 4) ike::store32(bytes.data(), kSpi);
      batch.addOuter(bytes);
    }
    receive(pair.receiver, batch.packets(), kSecondNs);
    for (const ike::Packet& packet : batch.packets()) CHECK(packet.drop != Drop::none);
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t count : pair.receiver.stats().drops) sum += count;
  CHECK_EQ(sum, kRounds * ike::kBatch);
}

TEST("RFC 4303 §3.4.3: of equal packets in one batch and in later ones exactly one comes through") {
  Pair pair;
  pair.addReceivingSa();
  const Bytes first = pair.sealed(udpPacket(false, 100));
  const Bytes second = pair.sealed(udpPacket(false, 100));
  Batch batch;
  for (int i = 0; i < 10; i++) {
    batch.addOuter(first);
    batch.addOuter(second);
  }
  receive(pair.receiver, batch.packets(), kSecondNs);
  std::size_t through = 0;
  for (const ike::Packet& packet : batch.packets()) through += packet.drop == Drop::none;
  CHECK_EQ(through, 2u);
  CHECK_EQ(pair.open(first), Drop::replay);
  CHECK_EQ(pair.drops(Drop::replay), 19u);
}

TEST("SPIs are promised up to the bound, all different, none below 256") {
  Mailbox mailbox;
  InboundCore core(mailbox);
  std::set<std::uint32_t> spis;
  for (std::size_t i = 0; i < ike::kMaxReservedSpis; i++) {
    auto spi = core.allocateSpi();
    CHECK(spi.ok());
    CHECK(spi.value() >= 256);
    spis.insert(spi.value());
  }
  CHECK_EQ(spis.size(), ike::kMaxReservedSpis);
  auto more = core.allocateSpi();
  CHECK(!more.ok());
  CHECK_EQ(std::string(more.failure().code), std::string("ERR_IKE_LIMIT"));
  core.releaseSpi(*spis.begin());
  CHECK(core.allocateSpi().ok());
}

TEST("receiving SAs are taken up to the bound, and room is there again when one goes") {
  Mailbox mailbox;
  InboundCore core(mailbox);
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
  core.deleteSa(77);
  CHECK(!add(ike::kMaxSas));
}

/** Promises the pair's SPI: chance would take too long to choose it. */
std::uint32_t reserve(InboundCore& core) { return core.allocateSpi().value(); }

Bytes espOf(std::uint32_t spi) {
  Bytes bytes(60);
  ike::store32(bytes.data(), spi);
  return bytes;
}

/** Hands packets of an SPI to the core one at a time; how many were kept. */
std::size_t early(InboundCore& core, std::uint32_t spi, std::size_t count, std::int64_t nowNs) {
  const std::uint64_t before = dropped(core.stats().drops, Drop::heldOverflow);
  for (std::size_t i = 0; i < count; i++) {
    Batch batch;
    batch.addOuter(espOf(spi));
    receive(core, batch.packets(), nowNs);
    CHECK(batch[0].drop != Drop::none);
  }
  return count - (dropped(core.stats().drops, Drop::heldOverflow) - before);
}

TEST("early packets are kept for an SPI that was promised, so many of one and so many of all") {
  Mailbox mailbox;
  InboundCore core(mailbox);
  CHECK_EQ(early(core, 0x9999, 1, 0), 1u);
  CHECK_EQ(dropped(core.stats().drops, Drop::unknownSpi), 1u);
  std::size_t all = 0;
  for (std::size_t spis = 0; spis < ike::kMaxEarly / ike::kMaxEarlyOfSpi; spis++) {
    const std::size_t kept = early(core, reserve(core), 40, 1);
    CHECK_EQ(kept, ike::kMaxEarlyOfSpi);
    all += kept;
  }
  CHECK_EQ(all, ike::kMaxEarly);
  const std::uint32_t late = reserve(core);
  CHECK_EQ(early(core, late, 5, 1), 0u);
  // Nobody came for them: room again.
  core.tick(2 + ike::kEarlyNs);
  CHECK_EQ(dropped(core.stats().drops, Drop::heldExpired), ike::kMaxEarly);
  CHECK_EQ(early(core, late, 5, 2 + ike::kEarlyNs), 5u);
}

TEST("what was kept for an SPI that is given back is dropped, counted, and makes room") {
  Mailbox mailbox;
  InboundCore core(mailbox);
  const std::uint32_t spi = reserve(core);
  const std::uint32_t other = reserve(core);
  CHECK_EQ(early(core, spi, 32, 1), 32u);
  CHECK_EQ(early(core, other, 3, 1), 3u);
  core.releaseSpi(spi);
  CHECK_EQ(dropped(core.stats().drops, Drop::unknownSpi), 32u);
  CHECK_EQ(early(core, spi, 1, 1), 1u);
  CHECK_EQ(dropped(core.stats().drops, Drop::unknownSpi), 33u);
  core.tick(2 + ike::kEarlyNs);
  CHECK_EQ(dropped(core.stats().drops, Drop::heldExpired), 3u);
}

TEST("early packets come through in order when their SA has come, with the address that they came from") {
  Mailbox mailbox;
  InboundCore core(mailbox);
  const std::uint32_t spi = reserve(core);
  auto sender = senderOf<ike::OutboundCore>(mailbox, 8);
  CHECK(!sender.addPolicy(policyOf(1, ike::Policy::Kind::protect)));
  ike::SaSpec spec = specOf(kGcm128, false, 1, spi);
  auto suite = ike::Suite::create(spec.keys, true);
  CHECK(!sender.addSa(std::move(spec), std::move(suite)));
  Batch inner;
  for (std::uint8_t i = 0; i < 20; i++) inner.addInner(udpPacket(false, 10, 7, i));
  transmit(sender, inner.packets(), kSecondNs);
  const ike::Endpoint elsewhere{v4(198, 51, 100, 7), 1234};
  Batch outer;
  for (ike::Packet& packet : inner.packets()) outer.addOuter(packet.bytes()).remote = elsewhere;
  receive(core, outer.packets(), kSecondNs);
  CHECK(!core.hasReleased());

  ike::SaSpec receiving = specOf(kGcm128, true, 2, spi);
  auto opening = ike::Suite::create(receiving.keys, false);
  CHECK(!core.addSa(std::move(receiving), std::move(opening)));
  CHECK(core.hasReleased());
  std::array<ike::Packet, 8> room;
  std::uint8_t next = 0;
  while (core.hasReleased()) {
    const std::size_t count = core.released(room, kSecondNs);
    for (const ike::Packet& packet : std::span(room).first(count)) {
      CHECK_EQ(packet.drop, Drop::none);
      CHECK_EQ(packet.bytes(), udpPacket(false, 10, 7, next++));
    }
  }
  CHECK_EQ(next, 20);
  const Mailbox::Contents told = mailbox.take();
  CHECK_EQ(told.events.size(), 1u);
  CHECK(told.events[0].type == ike::Event::Type::mapping && told.events[0].remote == elsewhere);
}

TEST(
    "RFC 7296 §2.23: only an authenticated packet that is the newest moves the peer's address; a full "
    "mailbox is told later") {
  Pair pair;
  pair.addReceivingSa();
  const Bytes first = pair.sealed(udpPacket(false, 10));
  const Bytes second = pair.sealed(udpPacket(false, 10));
  const Bytes third = pair.sealed(udpPacket(false, 10));
  const auto from = [&pair](Bytes bytes, std::uint16_t port) {
    Batch batch;
    batch.addOuter(bytes).remote.port = port;
    receive(pair.receiver, batch.packets(), kSecondNs);
    return pair.mailbox.take().events;
  };
  CHECK_EQ(from(second, 4500).size(), 0u);
  CHECK_EQ(from(first, 1111).size(), 0u);
  CHECK_EQ(from(second, 1111).size(), 0u);
  Bytes forged = third;
  forged.back() ^= 1;
  CHECK_EQ(from(forged, 1111).size(), 0u);

  while (pair.mailbox.post(ike::Event(ike::Event::Type::expire))) {
  }
  const auto crowded = from(third, 2222);
  CHECK(std::none_of(crowded.begin(), crowded.end(),
                     [](const ike::Event& event) { return event.type == ike::Event::Type::mapping; }));
  const auto told = from(pair.sealed(udpPacket(false, 10)), 2222);
  CHECK_EQ(told.size(), 1u);
  CHECK_EQ(told[0].remote.port, 2222);
}

}  // namespace
