// The sending core with paths: which packets it takes, drops, leaves to be cut, and in what order, with a
// kernel that says what the test wants.
#include "check.h"
#include "engine/outbound-core.h"
#include "path/fragmenter.h"
#include "support.h"

namespace {

using namespace support;
using ike::Drop;
using ike::Mailbox;
using ike::OutboundCore;
using ike::PathMtu;
using ike::Policy;

std::atomic<std::size_t> kernelBytes = 1500;
std::atomic<std::size_t> questions = 0;
std::size_t kernel(const ike::Address&, std::uint32_t) noexcept {
  questions++;
  return kernelBytes;
}

Bytes withoutDf(Bytes packet) {
  packet[6] = 0;
  ike::sealIpv4Header(std::span(packet).first(20));
  return packet;
}

void addAll(OutboundCore& core, bool transport = false) {
  ike::SaSpec spec = specOf(kGcm128, false, 1, 0x2000);
  if (transport) {
    spec.mode = ike::Mode::transport;
    spec.local.address = v4(10, 1, 0, 1);
    spec.remote.address = v4(10, 2, 0, 1);
  }
  auto suite = ike::Suite::create(spec.keys, true);
  CHECK(!core.addSa(std::move(spec), std::move(suite)));
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::protect)));
}

/** One begin to finish; how many were taken. */
std::size_t pass(OutboundCore& core, std::span<ike::Packet> packets, std::int64_t nowNs = kSecondNs) {
  ike::OutboundWork work;
  const std::size_t taken = core.begin(packets, work, nowNs);
  work.encrypt();
  core.finish(work, nowNs);
  work.done();
  return taken;
}

std::uint32_t numberOf(const ike::Packet& packet) { return ike::load32(packet.bytes().data() + 4); }

TEST("RFC 4301 §8.1: what may be cut ends the batch, what is behind it is counted once and keeps its order") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  kernelBytes = 1300;
  PathMtu paths(0, kernel);
  core.usePaths(paths, false);
  addAll(core);
  Batch batch;
  batch.addInner(udpPacket(false, 100));
  batch.addInner(udpPacket(false, 1300));
  batch.addInner(withoutDf(udpPacket(false, 3000)));
  batch.addInner(Bytes{0x99, 1, 2});
  batch.addInner(udpPacket(false, 50));
  const std::span<ike::Packet> all = batch.packets();
  CHECK_EQ(pass(core, all), 2u);
  CHECK_EQ(batch[0].drop, Drop::none);
  CHECK_EQ(batch[1].drop, Drop::tooBig);
  CHECK_EQ(batch[2].drop, Drop::none);
  // 20 + 8 + 8 + 8 + 16 around it, and two bytes and alignment in it.
  CHECK_EQ(batch[1].fitsBytes, 1238u);
  CHECK_EQ(batch[2].fitsBytes, 1238u);
  auto fragmenter = ike::Fragmenter::open(batch[2].bytes(), batch[2].fitsBytes);
  CHECK(fragmenter.has_value());
  Batch pieces;
  while (!fragmenter->done()) {
    Bytes room(1300);
    room.resize(fragmenter->next(room));
    pieces.addInner(room);
  }
  CHECK_EQ(pieces.size(), 3u);
  CHECK_EQ(pass(core, pieces.packets()), 3u);
  CHECK_EQ(pass(core, all.subspan(3)), 2u);
  CHECK_EQ(numberOf(batch[0]), 1u);
  CHECK_EQ(numberOf(pieces[2]), 4u);
  CHECK_EQ(numberOf(batch[4]), 5u);
  CHECK_EQ(batch[3].drop, Drop::malformed);
  CHECK_EQ(core.stats().packets, 5u);
  CHECK_EQ(core.stats().dropped, 2u);
  for (std::size_t i = 0; i < 3; i++) CHECK(pieces[i].lengthBytes + 28 <= 1300);
}

TEST("RFC 1191 §6.3: after the age that the table was given, longer packets pass again") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  kernelBytes = 1500;
  PathMtu paths(0, kernel, 5 * kSecondNs);
  core.usePaths(paths, false);
  addAll(core);
  const auto sends = [&](std::int64_t nowNs) {
    Batch batch;
    batch.addInner(udpPacket(false, 1300));
    pass(core, batch.packets(), nowNs);
    return batch[0].drop;
  };
  CHECK_EQ(sends(kSecondNs), Drop::none);
  paths.learn(kRemote.address, 1200, 2 * kSecondNs);
  CHECK_EQ(sends(3 * kSecondNs), Drop::tooBig);
  core.tick(70 * kSecondNs);
  CHECK_EQ(sends(70 * kSecondNs), Drop::none);
}

TEST("an SA's limit follows its peer, and the path is asked for only when something changed") {
  for (const bool transport : {false, true}) {
    Mailbox mailbox;
    auto core = senderOf<OutboundCore>(mailbox, 8);
    kernelBytes = 1500;
    PathMtu paths(0, kernel);
    core.usePaths(paths, false);
    addAll(core, transport);
    const auto sends = [&](std::int64_t nowNs) {
      Batch batch;
      batch.addInner(udpPacket(false, 1300));
      pass(core, batch.packets(), nowNs);
      return batch[0].drop;
    };
    CHECK_EQ(sends(kSecondNs), Drop::none);
    questions = 0;
    for (int i = 0; i < 100; i++) CHECK_EQ(sends(kSecondNs), Drop::none);
    CHECK_EQ(questions.load(), 0u);
    kernelBytes = 1200;
    CHECK_EQ(sends(2 * kSecondNs), Drop::none);
    const auto local = transport ? v4(10, 1, 0, 1) : kLocal.address;
    core.updateSa(1, {local, 4500}, {v4(192, 0, 2, 77), 4500});
    CHECK_EQ(sends(2 * kSecondNs), Drop::tooBig);
    CHECK_EQ(questions.load(), 1u);
  }
}

TEST("RFC 1122 §3.3.3: whatever ICMP says, packets that fit 576 bytes pass") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  kernelBytes = 1500;
  PathMtu paths(0, kernel);
  core.usePaths(paths, false);
  addAll(core);
  Batch batch;
  batch.addInner(udpPacket(false, 480));
  batch.addInner(udpPacket(false, 520));
  paths.to(kRemote.address, kSecondNs);
  paths.learn(kRemote.address, 68, kSecondNs);
  pass(core, batch.packets());
  CHECK_EQ(batch[0].drop, Drop::none);
  CHECK_EQ(batch[1].drop, Drop::tooBig);
}

TEST("RFC 4303 §3.3.4: in transport mode the outer packet is cut, not what is in it") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  kernelBytes = 1300;
  PathMtu paths(0, kernel);
  core.usePaths(paths, false);
  addAll(core, true);
  Batch batch;
  batch.addInner(withoutDf(udpPacket(false, 1400)));
  batch.addInner(udpPacket(false, 1400));
  CHECK_EQ(pass(core, batch.packets()), 2u);
  CHECK_EQ(batch[0].drop, Drop::none);
  CHECK(batch[0].mayFragment);
  CHECK_EQ(batch[1].drop, Drop::tooBig);
}

TEST("RFC 8200 §5: an IPv6 packet of 1,280 bytes passes whatever the path, a longer one does not") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  kernelBytes = 1300;
  PathMtu paths(0, kernel);
  core.usePaths(paths, false);
  addAll(core);
  Batch batch;
  batch.addInner(udpPacket(true, 1280 - 48));
  batch.addInner(udpPacket(true, 1281 - 48));
  CHECK_EQ(pass(core, batch.packets()), 2u);
  CHECK_EQ(batch[0].drop, Drop::none);
  CHECK(batch[0].mayFragment);
  CHECK_EQ(batch[1].drop, Drop::tooBig);
}

TEST("RFC 4301 §8.1: what a trap held is cut when it leaves") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  kernelBytes = 1300;
  PathMtu paths(0, kernel);
  core.usePaths(paths, false);
  CHECK(!core.addPolicy(policyOf(2, Policy::Kind::trap, 20)));
  Batch batch;
  batch.addInner(withoutDf(udpPacket(false, 3000)));
  batch.addInner(udpPacket(false, 10));
  CHECK_EQ(pass(core, batch.packets()), 2u);
  addAll(core);
  std::array<ike::Packet, 2> room;
  std::vector<std::uint32_t> numbers;
  while (core.hasReleased()) {
    const std::size_t count = core.released(room, kSecondNs);
    for (const ike::Packet& packet : std::span(room).first(count)) {
      CHECK_EQ(packet.drop, Drop::none);
      CHECK(packet.lengthBytes + 28 <= 1300);
      numbers.push_back(numberOf(packet));
    }
  }
  CHECK_EQ(numbers.size(), 4u);
  for (std::size_t i = 0; i < numbers.size(); i++) CHECK_EQ(numbers[i], i + 1);
}

TEST("RFC 4301 §4.4.1: a bypass policy's packets are counted apart, where somebody sends them") {
  Mailbox mailbox;
  auto core = senderOf<OutboundCore>(mailbox, 8);
  CHECK(!core.addPolicy(policyOf(1, Policy::Kind::bypass)));
  Batch batch;
  batch.addInner(udpPacket(false, 10));
  batch.addInner(udpPacket(true, 10));
  core.allowBypass(true, false);
  pass(core, batch.packets());
  CHECK(batch[0].bypass && batch[1].bypass);
  CHECK_EQ(core.stats().bypassed, 1u);
  CHECK_EQ(core.stats().dropped, 1u);
}

}  // namespace
