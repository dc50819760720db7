// What the two halves of the engine do beside ESP in UDP: ESP and AH as protocols of their own, AH around ESP
// as a bundle (RFC 2401 §4.3), limits on the way in, packets of all these kinds that come before their SA.
#include "check.h"
#include "engine/inbound-core.h"
#include "engine/outbound-core.h"
#include "support.h"

namespace {

using namespace support;
using ike::Drop;
using ike::Mode;
using ike::Protocol;

constexpr std::uint32_t kEspOut = 1;
constexpr std::uint32_t kAhOut = 2;
constexpr std::uint32_t kEspIn = 3;
constexpr std::uint32_t kAhIn = 4;
/** Of an AH SA that only goes around others. */
constexpr std::uint32_t kNoPolicy = 0;

/** Between fd01::1 and fd02::1, as the inner packets of IPv6 are. */
ike::Endpoint v6End(std::uint8_t network) {
  Bytes bytes(16);
  bytes[0] = 0xfd;
  bytes[1] = network;
  bytes[15] = 1;
  return {ike::Address::from(bytes), 4500};
}

ike::SaSpec espSpec(bool inbound, Mode mode = Mode::tunnel, bool udp = false) {
  ike::SaSpec spec = specOf(kGcm128, inbound, inbound ? kEspIn : kEspOut, 0x1000);
  spec.mode = mode;
  spec.udpEncapsulation = udp;
  if (inbound) std::swap(spec.local, spec.remote);
  return spec;
}

ike::SaSpec ahSpec(bool inbound, Mode mode) {
  ike::SaSpec spec = espSpec(inbound, mode);
  spec.id = inbound ? kAhIn : kAhOut;
  spec.spi = 0x2000;
  spec.protocol = Protocol::ah;
  spec.keys.encryption = ike::Encryption::none;
  spec.keys.encryptionKey = ike::Secret();
  spec.keys.integrity = ike::Integrity::sha256_128;
  spec.keys.integrityKey = secretOf(32, 5);
  return spec;
}

template <typename Core>
void add(Core& core, ike::SaSpec spec) {
  auto suite = ike::createSuite(spec);
  CHECK(suite != nullptr);
  CHECK(!core.addSa(std::move(spec), std::move(suite)));
}

/** As it would lie in an inbound worker's slot. */
void addReceived(Batch& batch, std::span<const std::uint8_t> bytes) {
  ike::Packet& packet = batch.addOuter(bytes);
  const auto found = ike::findIpsec(bytes);
  CHECK(found.has_value());
  packet.remote = {found->source, 0};
  packet.local = found->destination;
  packet.ah = found->protocol == ike::kProtocolAh;
  packet.tos = found->tos;
  packet.outerBytes = packet.offset = found->outerBytes;
  packet.lengthBytes -= found->outerBytes;
}

/** Both halves, with a policy for everything. */
struct Cores {
  Cores() { CHECK(!sender.addPolicy(policyOf(1, ike::Policy::Kind::protect))); }

  void addBundle(std::uint32_t ahPolicy = kNoPolicy) {
    addAround(ahPolicy);
    ike::SaSpec out = espSpec(false);
    out.outerSaId = kAhOut;
    add(sender, std::move(out));
  }
  void addAround(std::uint32_t ahPolicy) {
    ike::SaSpec out = ahSpec(false, Mode::transport);
    out.policyId = ahPolicy;
    add(sender, std::move(out));
  }
  void addReceivingBundle() {
    add(receiver, ahSpec(true, Mode::transport));
    addReceivingInside(kAhIn);
  }
  void addReceivingInside(std::uint32_t outerSaId) {
    ike::SaSpec in = espSpec(true);
    in.outerSaId = outerSaId;
    add(receiver, std::move(in));
  }

  std::vector<Bytes> send(std::span<const Bytes> inner) {
    Batch batch;
    for (const Bytes& packet : inner) batch.addInner(packet);
    transmit(sender, batch.packets(), kSecondNs);
    std::vector<Bytes> sent;
    for (ike::Packet& packet : batch.packets())
      if (packet.drop == Drop::none) sent.push_back(copyOf(packet));
    return sent;
  }
  Bytes sendOne(const Bytes& inner) {
    const std::vector<Bytes> sent = send(std::span(&inner, 1));
    CHECK_EQ(sent.size(), 1u);
    return sent[0];
  }
  Drop open(std::span<const std::uint8_t> outer, std::int64_t nowNs = kSecondNs) {
    Batch batch;
    addReceived(batch, outer);
    receive(receiver, batch.packets(), nowNs);
    if (batch[0].drop == Drop::none) last = copyOf(batch[0]);
    return batch[0].drop;
  }
  /** Early packets whose SA has come. */
  std::vector<Bytes> released() {
    std::vector<Bytes> all;
    std::array<ike::Packet, 8> room;
    while (receiver.hasReleased()) {
      const std::size_t count = receiver.released(room, kSecondNs);
      for (const ike::Packet& packet : std::span(room).first(count))
        if (packet.drop == Drop::none) all.push_back(copyOf(packet));
    }
    return all;
  }

  ike::Mailbox mailbox;
  ike::OutboundCore sender = senderOf<ike::OutboundCore>(mailbox, 8);
  ike::InboundCore receiver{mailbox};
  Bytes last;
};

std::vector<Bytes> innerPackets(std::size_t count) {
  std::vector<Bytes> packets;
  for (std::size_t i = 0; i < count; i++)
    packets.push_back(udpPacket(i % 2 == 1, i * 20, 7, static_cast<std::uint8_t>(i)));
  return packets;
}

TEST("RFC 2401 §4.3: a bundle leaves as AH around ESP, comes out as it went in, and is counted once") {
  Cores cores;
  cores.addBundle();
  cores.addReceivingBundle();
  const std::vector<Bytes> inner = innerPackets(ike::kBatch);
  const std::vector<Bytes> sent = cores.send(inner);
  CHECK_EQ(sent.size(), inner.size());
  Batch batch;
  for (const Bytes& packet : sent) {
    CHECK_EQ(packet[9], ike::kProtocolAh);
    CHECK_EQ(packet[20], ike::kProtocolEsp);
    addReceived(batch, packet);
  }
  receive(cores.receiver, batch.packets(), kSecondNs);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < inner.size(); i++) {
    CHECK_EQ(batch[i].drop, Drop::none);
    CHECK_EQ(batch[i].bytes(), inner[i]);
    bytes += inner[i].size();
  }
  for (const ike::DirectionStats& stats : {cores.sender.stats(), cores.receiver.stats()}) {
    CHECK_EQ(stats.packets, inner.size());
    CHECK_EQ(stats.bytes, bytes);
    CHECK_EQ(stats.dropped, 0u);
  }
  for (const std::uint32_t id : {kEspOut, kAhOut})
    CHECK_EQ(cores.sender.querySa(id)->counters.packets, inner.size());
  for (const std::uint32_t id : {kEspIn, kAhIn})
    CHECK_EQ(cores.receiver.querySa(id)->counters.packets, inner.size());
}

TEST("RFC 2401 §4.3: an inner SA takes nothing that did not come through its own outer one, counted once") {
  Cores bundle;
  bundle.addBundle();
  bundle.addReceivingBundle();
  Cores bare;
  add(bare.sender, espSpec(false));
  const Bytes inner = udpPacket(false, 30);
  CHECK_EQ(bundle.open(bare.sendOne(inner)), Drop::outerSa);
  CHECK_EQ(bundle.receiver.stats().dropped, 1u);
  // The reverse: through AH that it knows nothing of, or of another id.
  for (const std::uint32_t outer : {0u, 77u}) {
    Cores other;
    add(other.receiver, ahSpec(true, Mode::transport));
    other.addReceivingInside(outer);
    CHECK_EQ(other.open(bundle.sendOne(inner)), Drop::outerSa);
    CHECK_EQ(other.receiver.stats().dropped, 1u);
    CHECK_EQ(other.receiver.stats().packets, 0u);
  }
  Cores alone;
  add(alone.receiver, ahSpec(true, Mode::transport));
  CHECK_EQ(alone.open(bundle.sendOne(inner)), Drop::unknownSpi);
  CHECK_EQ(alone.receiver.stats().dropped, 1u);
}

TEST("RFC 2401 §4.3: without its AH SA a bundle sends nothing, whichever SA is deleted first") {
  Cores cores;
  cores.addBundle();
  CHECK_EQ(cores.send(innerPackets(3)).size(), 3u);
  cores.sender.deleteSa(kAhOut);
  CHECK_EQ(cores.send(innerPackets(3)).size(), 0u);
  CHECK_EQ(dropped(cores.sender.stats().drops, Drop::outerSa), 3u);
  CHECK_EQ(cores.sender.stats().packets, 3u);
  cores.sender.deleteSa(kEspOut);
  CHECK_EQ(cores.send(innerPackets(1)).size(), 0u);
  // What has begun ends with the keys that it began with.
  cores.addBundle();
  Batch batch;
  batch.addInner(udpPacket(false, 30));
  ike::OutboundWork work;
  cores.sender.begin(batch.packets(), work, kSecondNs);
  cores.sender.deleteSa(kAhOut);
  cores.sender.deleteSa(kEspOut);
  work.encrypt();
  cores.sender.finish(work, kSecondNs);
  work.done();
  CHECK_EQ(batch[0].drop, Drop::none);
  cores.addReceivingBundle();
  CHECK_EQ(cores.open(batch[0].bytes()), Drop::none);
  Batch late;
  cores.addBundle();
  addReceived(late, cores.send(innerPackets(2))[1]);
  ike::InboundWork opening;
  cores.receiver.begin(late.packets(), opening);
  cores.receiver.deleteSa(kAhIn);
  opening.decrypt();
  cores.receiver.finish(opening, kSecondNs);
  CHECK(opening.unfinished());
  cores.receiver.deleteSa(kEspIn);
  opening.decrypt();
  cores.receiver.finish(opening, kSecondNs);
  CHECK(!opening.unfinished());
  opening.done();
  CHECK_EQ(late[0].drop, Drop::none);
}

TEST("an AH SA of a bundle carries nothing by itself, even where its policy and selectors would let it") {
  Cores cores;
  cores.addBundle(1);
  cores.sender.deleteSa(kEspOut);
  Batch batch;
  batch.addInner(udpPacket(false, 30));
  transmit(cores.sender, batch.packets(), kSecondNs);
  CHECK_EQ(batch[0].drop, Drop::noSa);
  cores.sender.deleteSa(kAhOut);
  CHECK(!cores.sender.hasSa(kAhOut));
}

TEST("RFC 4303 §3.3.3: an end of the outer SA drops what the inner one has numbered, counted once and told") {
  Cores cores;
  ike::SaSpec around = ahSpec(false, Mode::transport);
  around.policyId = kNoPolicy;
  around.limits = {.softPackets = 1, .hardPackets = 2};
  add(cores.sender, std::move(around));
  ike::SaSpec inside = espSpec(false);
  inside.outerSaId = kAhOut;
  add(cores.sender, std::move(inside));
  CHECK_EQ(cores.send(innerPackets(5)).size(), 2u);
  CHECK_EQ(cores.sender.stats().packets, 2u);
  CHECK_EQ(cores.sender.stats().dropped, 3u);
  CHECK_EQ(dropped(cores.sender.stats().drops, Drop::expired), 3u);
  const auto events = cores.mailbox.take().events;
  CHECK_EQ(events.size(), 1u);
  CHECK_EQ(events[0].id, kAhOut);
  CHECK(events[0].hard);
}

TEST("a bundle of several threads takes its place in both lines") {
  ike::Mailbox mailbox;
  ike::OutboundCore sender(mailbox, 8, true);
  CHECK(!sender.addPolicy(policyOf(1, ike::Policy::Kind::protect)));
  ike::SaSpec around = ahSpec(false, Mode::transport);
  around.policyId = kNoPolicy;
  add(sender, std::move(around));
  ike::SaSpec inside = espSpec(false);
  inside.outerSaId = kAhOut;
  add(sender, std::move(inside));
  for (int round = 0; round < 40; round++) {
    Batch batch;
    batch.addInner(udpPacket(false, 30));
    ike::OutboundWork work;
    sender.begin(batch.packets(), work, kSecondNs);
    work.encrypt();
    sender.finish(work, kSecondNs);
    work.await();
    work.done();
    CHECK_EQ(batch[0].drop, Drop::none);
  }
}

TEST(
    "RFC 4301 §4.4.2.1: limits of an SA that receives are told, soft and hard once, and then all is "
    "dropped") {
  Cores cores;
  add(cores.sender, espSpec(false));
  ike::SaSpec in = espSpec(true);
  in.limits = {.softPackets = 2, .hardPackets = 4};
  add(cores.receiver, std::move(in));
  const std::vector<Bytes> sent = cores.send(innerPackets(8));
  std::vector<std::pair<std::size_t, bool>> told;
  for (std::size_t i = 0; i < sent.size(); i++) {
    CHECK_EQ(cores.open(sent[i]), i < 4 ? Drop::none : Drop::expired);
    for (const ike::Event& event : cores.mailbox.take().events) {
      CHECK(event.type == ike::Event::Type::expire);
      CHECK_EQ(event.id, kEspIn);
      told.emplace_back(i, event.hard);
    }
  }
  CHECK((told == std::vector<std::pair<std::size_t, bool>>{{1, false}, {3, true}}));
  CHECK_EQ(dropped(cores.receiver.stats().drops, Drop::expired), 4u);
}

TEST("an end that the full mailbox could not take is told with a later packet") {
  Cores cores;
  add(cores.sender, espSpec(false));
  ike::SaSpec in = espSpec(true);
  in.limits = {.softPackets = 1};
  add(cores.receiver, std::move(in));
  while (cores.mailbox.post(ike::Event(ike::Event::Type::expire, 9999))) continue;
  const std::vector<Bytes> sent = cores.send(innerPackets(2));
  CHECK_EQ(cores.open(sent[0]), Drop::none);
  cores.mailbox.take();
  CHECK_EQ(cores.open(sent[1]), Drop::none);
  const auto events = cores.mailbox.take().events;
  CHECK_EQ(events.size(), 1u);
  CHECK_EQ(events[0].id, kEspIn);
}

/** That the SA takes only what comes as its own packets do. */
void refusesOther(ike::SaSpec theirs, ike::SaSpec mine) {
  mine.spi = theirs.spi;
  Cores cores;
  const bool theirsInUdp = theirs.udpEncapsulation;
  add(cores.sender, std::move(theirs));
  add(cores.receiver, std::move(mine));
  const Bytes sent = cores.sendOne(ipPacket(false, 17, Bytes(40)));
  Batch batch;
  if (theirsInUdp)
    batch.addOuter(sent);
  else
    addReceived(batch, sent);
  receive(cores.receiver, batch.packets(), kSecondNs);
  CHECK_EQ(batch[0].drop, Drop::unknownSpi);
  CHECK_EQ(cores.receiver.stats().dropped, 1u);
}

TEST("RFC 4303 §2.1: an SPI is one of its protocol, and of UDP or not: all else finds no SA") {
  refusesOther(espSpec(false, Mode::tunnel, true), espSpec(true));
  refusesOther(espSpec(false), espSpec(true, Mode::tunnel, true));
  refusesOther(ahSpec(false, Mode::tunnel), espSpec(true));
  refusesOther(espSpec(false), ahSpec(true, Mode::tunnel));
}

/** The pair's SPI is chosen by the receiver. */
void comesEarly(ike::SaSpec out, ike::SaSpec in) {
  Cores cores;
  out.spi = in.spi = cores.receiver.allocateSpi().value();
  const bool udp = out.udpEncapsulation;
  const bool v6 = out.local.address.isV6();
  const ike::Endpoint remote = in.remote;
  const ike::Address local = in.local.address;
  add(cores.sender, std::move(out));
  std::vector<Bytes> inner;
  for (std::uint8_t i = 0; i < 12; i++) {
    inner.push_back(udpPacket(v6, 100, 7, i));
    // With a checksum: what is made anew in transport mode has one.
    inner.back()[v6 ? 46 : 26] = 1;
  }
  Batch batch;
  for (const Bytes& sent : cores.send(inner)) {
    if (udp) {
      ike::Packet& packet = batch.addOuter(sent);
      packet.remote = remote;
      packet.local = local;
    } else {
      addReceived(batch, sent);
    }
  }
  CHECK_EQ(batch.size(), inner.size());
  receive(cores.receiver, batch.packets(), kSecondNs);
  for (const ike::Packet& packet : batch.packets()) CHECK_EQ(packet.drop, Drop::noSa);
  CHECK(cores.released().empty());
  add(cores.receiver, std::move(in));
  const std::vector<Bytes> opened = cores.released();
  CHECK_EQ(opened.size(), inner.size());
  const std::size_t header = v6 ? 40 : 20;
  for (std::size_t i = 0; i < opened.size(); i++) {
    CHECK_EQ(opened[i].size(), inner[i].size());
    CHECK_EQ(std::span(opened[i]).subspan(header + 8), std::span(inner[i]).subspan(header + 8));
    CHECK_EQ(std::span(opened[i]).subspan(v6 ? 8 : 12, v6 ? 32 : 8),
             std::span(inner[i]).subspan(v6 ? 8 : 12, v6 ? 32 : 8));
  }
}

TEST("early packets of every kind come through when their SA has come: without UDP, AH, transport mode") {
  for (const bool v6 : {false, true})
    for (const Mode mode : {Mode::tunnel, Mode::transport}) {
      const auto between = [&](ike::SaSpec out, ike::SaSpec in) {
        // Transport mode is for the hosts that the packets are from and for.
        out.local = in.remote = v6 ? v6End(1) : ike::Endpoint{v4(10, 1, 0, 1), 4500};
        out.remote = in.local = v6 ? v6End(2) : ike::Endpoint{v4(10, 2, 0, 1), 4500};
        comesEarly(std::move(out), std::move(in));
      };
      between(espSpec(false, mode), espSpec(true, mode));
      between(espSpec(false, mode, true), espSpec(true, mode, true));
      between(ahSpec(false, mode), ahSpec(true, mode));
    }
}

TEST("RFC 2401 §4.3: ESP that came out of AH waits for its SA, and remembers the way that it came") {
  Cores cores;
  const std::uint32_t spi = cores.receiver.allocateSpi().value();
  cores.addAround(kNoPolicy);
  ike::SaSpec out = espSpec(false);
  out.outerSaId = kAhOut;
  out.spi = spi;
  add(cores.sender, std::move(out));
  add(cores.receiver, ahSpec(true, Mode::transport));
  const std::vector<Bytes> inner = innerPackets(5);
  for (const Bytes& packet : cores.send(inner)) CHECK_EQ(cores.open(packet), Drop::noSa);
  ike::SaSpec in = espSpec(true);
  in.outerSaId = kAhIn;
  in.spi = spi;
  add(cores.receiver, std::move(in));
  CHECK((cores.released() == inner));
  CHECK_EQ(cores.receiver.stats().packets, inner.size());
  CHECK_EQ(cores.receiver.stats().dropped, 0u);
}

TEST("RFC 2401 §4.3: both SAs of a bundle may come after its packets") {
  Cores cores;
  const std::uint32_t spi = cores.receiver.allocateSpi().value();
  const std::uint32_t ahSpi = cores.receiver.allocateSpi().value();
  ike::SaSpec around = ahSpec(false, Mode::transport);
  around.policyId = kNoPolicy;
  around.spi = ahSpi;
  add(cores.sender, std::move(around));
  ike::SaSpec out = espSpec(false);
  out.outerSaId = kAhOut;
  out.spi = spi;
  add(cores.sender, std::move(out));
  const std::vector<Bytes> inner = innerPackets(5);
  for (const Bytes& packet : cores.send(inner)) CHECK_EQ(cores.open(packet), Drop::noSa);
  ike::SaSpec ahIn = ahSpec(true, Mode::transport);
  ahIn.spi = ahSpi;
  add(cores.receiver, std::move(ahIn));
  ike::SaSpec in = espSpec(true);
  in.outerSaId = kAhIn;
  in.spi = spi;
  add(cores.receiver, std::move(in));
  CHECK((cores.released() == inner));
}

TEST("RFC 4303 §2.7: what a trap held is padded as far as what was not held") {
  for (const bool bundle : {false, true}) {
    ike::Mailbox mailbox;
    auto sender = senderOf<ike::OutboundCore>(mailbox, 8);
    CHECK(!sender.addPolicy(policyOf(1, ike::Policy::Kind::trap)));
    Batch batch;
    batch.addInner(udpPacket(false, 10));
    transmit(sender, batch.packets(), kSecondNs);
    CHECK_EQ(batch[0].drop, Drop::noSa);
    ike::SaSpec spec = espSpec(false);
    spec.tfcBytes = 1400;
    if (bundle) {
      ike::SaSpec around = ahSpec(false, Mode::transport);
      around.policyId = kNoPolicy;
      add(sender, std::move(around));
      spec.outerSaId = kAhOut;
    }
    add(sender, std::move(spec));
    std::array<ike::Packet, 8> room;
    CHECK_EQ(sender.released(room, kSecondNs), 1u);
    CHECK_EQ(room[0].drop, Drop::none);
    CHECK_EQ(room[0].bytes()[9], bundle ? ike::kProtocolAh : ike::kProtocolEsp);
    CHECK(room[0].lengthBytes >= 1400 + 20 + 8 + 8 + 2 + 16);
    CHECK_EQ(sender.released(room, kSecondNs), 0u);
    CHECK_EQ(sender.stats().packets, 1u);
  }
}

TEST("RFC 4301 §7.2: a TCP fragment at offset 1 is no packet of any SA, in either direction") {
  Bytes fragment = ipPacket(false, 6, Bytes(40));
  fragment[7] = 1;
  ike::sealIpv4Header(std::span(fragment).first(20));
  CHECK(!ike::parsePacket(fragment));
  Cores cores;
  add(cores.sender, espSpec(false));
  CHECK(cores.send(std::span(&fragment, 1)).empty());
  CHECK_EQ(dropped(cores.sender.stats().drops, Drop::malformed), 1u);
  for (const std::uint8_t other : {std::uint8_t{0}, std::uint8_t{2}}) {
    fragment[7] = other;
    ike::sealIpv4Header(std::span(fragment).first(20));
    CHECK(ike::parsePacket(fragment).has_value());
  }
  fragment[7] = 1;
  fragment[9] = 17;
  CHECK(ike::parsePacket(fragment).has_value());
}

}  // namespace
