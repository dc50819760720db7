// Every kind of SA with packets that mean it ill: random bytes, good packets with bytes changed, and packets
// that are whole but nonsense inside. The sanitizers watch (scripts/sanitize.mjs); here it is checked that
// nothing random passes, and that what passes is a whole packet within its memory.
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "check.h"
#include "esp/inbound-sa.h"
#include "esp/outbound-sa.h"
#include "esp/slots.h"

namespace {

using namespace ike;

struct Kind {
  Protocol protocol;
  Mode mode;
  bool udp;
  bool v6;
};

constexpr Kind kKinds[] = {
    {Protocol::esp, Mode::tunnel, true, false},    {Protocol::esp, Mode::tunnel, false, false},
    {Protocol::esp, Mode::tunnel, false, true},    {Protocol::esp, Mode::transport, true, false},
    {Protocol::esp, Mode::transport, true, true},  {Protocol::esp, Mode::transport, false, false},
    {Protocol::esp, Mode::transport, false, true}, {Protocol::ah, Mode::tunnel, false, false},
    {Protocol::ah, Mode::tunnel, false, true},     {Protocol::ah, Mode::transport, false, false},
    {Protocol::ah, Mode::transport, false, true},
};

Address addressOf(bool v6, std::uint8_t last) {
  std::vector<std::uint8_t> bytes(v6 ? 16 : 4, 0);
  bytes.front() = v6 ? 0xfd : 10;
  bytes.back() = last;
  return Address::from(bytes);
}

Selector any(bool v6) {
  Selector selector;
  const std::vector<std::uint8_t> low(v6 ? 16 : 4, 0);
  const std::vector<std::uint8_t> high(v6 ? 16 : 4, 0xff);
  selector.start = Address::from(low);
  selector.end = Address::from(high);
  return selector;
}

SaSpec specOf(const Kind& kind, bool inbound) {
  const std::vector<std::uint8_t> key(20, 7);
  SaSpec spec;
  spec.id = 1;
  spec.inbound = inbound;
  spec.protocol = kind.protocol;
  spec.mode = kind.mode;
  spec.udpEncapsulation = kind.udp;
  spec.spi = 0x1234;
  spec.local = {addressOf(kind.v6, inbound ? 2 : 1), 4500};
  spec.remote = {addressOf(kind.v6, inbound ? 1 : 2), 4500};
  // NULL, so that what is inside can be anything.
  if (kind.protocol == Protocol::esp) spec.keys.encryption = Encryption::null;
  spec.keys.integrity = Integrity::sha1_96;
  spec.keys.integrityKey = Secret(key);
  spec.localTs = spec.remoteTs = {any(false), any(true)};
  spec.header.copyDscpIn = true;
  return spec;
}

std::unique_ptr<OutboundSa> sender(const Kind& kind) {
  SaSpec spec = specOf(kind, false);
  auto suite = createSuite(spec);
  return std::make_unique<OutboundSa>(std::move(spec), std::move(suite));
}

std::unique_ptr<InboundSa> receiver(const Kind& kind) {
  SaSpec spec = specOf(kind, true);
  auto suite = createSuite(spec);
  return std::make_unique<InboundSa>(std::move(spec), std::move(suite));
}

/** As a worker does it, in memory of just that length. False: not even looked at. */
bool open(InboundSa& sa, const Kind& kind, std::vector<std::uint8_t>& bytes, Spare& spare, Packet& packet) {
  packet = Packet(bytes, 0, bytes.size());
  packet.spare = &spare;
  packet.tos = bytes.empty() ? std::uint8_t{0} : bytes[0];
  if (!kind.udp) {
    const std::optional<IpsecPlace> place = findIpsec(bytes);
    if (!place) return false;
    packet.ah = place->protocol == kProtocolAh;
    packet.outerBytes = packet.offset = place->outerBytes;
    packet.lengthBytes = place->lengthBytes - place->outerBytes;
  }
  spare.clear();
  Packet* one = &packet;
  sa.open(std::span(&one, 1), 1);
  return packet.drop == Drop::none;
}

/** Touches all of it, for the sanitizers. */
unsigned sumOf(const Packet& packet) {
  unsigned sum = 0;
  for (const std::uint8_t byte : packet.bytes()) sum += byte;
  return sum;
}

/** A packet that SAs of that kind take: whole, between the ends, of random contents behind its header. */
std::vector<std::uint8_t> plainPacket(const Kind& kind, std::mt19937& random, std::size_t bodyBytes) {
  std::vector<std::uint8_t> packet((kind.v6 ? 40 : 20) + bodyBytes);
  for (std::uint8_t& byte : packet) byte = static_cast<std::uint8_t>(random());
  OuterTemplate(addressOf(kind.v6, 1), addressOf(kind.v6, 2))
      .write(packet.data(), packet.size(), static_cast<std::uint8_t>(random()),
             static_cast<std::uint8_t>(random()));
  return packet;
}

TEST("random bytes pass no SA of any kind") {
  std::mt19937 random(1);
  Spare spare(1 << 20);
  for (const Kind& kind : kKinds) {
    const auto sa = receiver(kind);
    for (int round = 0; round < 4000; round++) {
      std::vector<std::uint8_t> bytes(random() % 200);
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
      // Often enough far enough to matter.
      if (!kind.udp && bytes.size() >= 60 && round % 4 != 0) {
        const std::uint8_t next = kind.protocol == Protocol::ah ? kProtocolAh : kProtocolEsp;
        OuterTemplate(addressOf(kind.v6, 1), addressOf(kind.v6, 2))
            .write(bytes.data(), bytes.size(), next, 0);
        if (kind.v6 && round % 4 == 1) bytes[6] = static_cast<std::uint8_t>(random() % 2 == 0 ? 0 : 60);
        if (!kind.v6 && round % 4 == 1) bytes[0] = static_cast<std::uint8_t>(0x45 + random() % 11);
      }
      Packet packet;
      CHECK(!open(*sa, kind, bytes, spare, packet));
    }
    CHECK_EQ(sa->counters().packets, std::uint64_t{0});
  }
}

TEST("packets of every kind of SA with random contents go in and come out whole, or are dropped") {
  std::mt19937 random(2);
  Spare spare(1 << 20);
  for (const Kind& kind : kKinds) {
    const auto out = sender(kind);
    const auto in = receiver(kind);
    std::size_t good = 0;
    for (int round = 0; round < 2000; round++) {
      const std::vector<std::uint8_t> plain = plainPacket(kind, random, random() % 300);
      std::vector<std::uint8_t> slot(kHeadroom + plain.size() + kTailroom);
      std::copy(plain.begin(), plain.end(), slot.begin() + kHeadroom);
      Packet packet(slot, kHeadroom, plain.size());
      Packet* one = &packet;
      out->seal(std::span(&one, 1), 1);
      if (packet.drop != Drop::none) continue;
      std::vector<std::uint8_t> sealed(packet.bytes().begin(), packet.bytes().end());
      // Half of them with a byte changed.
      if (round % 2 == 1) sealed[random() % sealed.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
      Packet arrived;
      if (!open(*in, kind, sealed, spare, arrived)) continue;
      good++;
      sumOf(arrived);
      if (round % 2 == 1) continue;
      CHECK(arrived.viaSaId != 0 || parsePacket(arrived.bytes()).has_value());
    }
    CHECK(good > 500);
  }
}

TEST("a packet that grows at its front goes to its spare memory, and is dropped when that is used up") {
  const Kind kind{Protocol::esp, Mode::transport, true, true};
  std::mt19937 random(3);
  const auto out = sender(kind);
  const auto in = receiver(kind);
  Spare spare(150);
  std::vector<Drop> drops;
  for (int i = 0; i < 3; i++) {
    std::vector<std::uint8_t> plain = plainPacket(kind, random, 40);
    // No header that has to be whole.
    plain[6] = 253;
    std::vector<std::uint8_t> slot(kHeadroom + plain.size() + kTailroom);
    std::copy(plain.begin(), plain.end(), slot.begin() + kHeadroom);
    Packet packet(slot, kHeadroom, plain.size());
    Packet* one = &packet;
    out->seal(std::span(&one, 1), 1);
    packet.spare = &spare;
    in->open(std::span(&one, 1), 1);
    drops.push_back(packet.drop);
  }
  CHECK(drops[0] == Drop::none);
  CHECK(drops[1] == Drop::queueFull);
  CHECK(drops[2] == Drop::queueFull);
}

TEST("without spare memory a packet in IPv4 has room in its own") {
  const Kind kind{Protocol::esp, Mode::transport, true, false};
  std::mt19937 random(4);
  const auto out = sender(kind);
  const auto in = receiver(kind);
  for (std::size_t bodyBytes = 0; bodyBytes < 100; bodyBytes++) {
    std::vector<std::uint8_t> plain = plainPacket(kind, random, bodyBytes);
    plain[9] = 253;
    std::vector<std::uint8_t> slot(kHeadroom + plain.size() + kTailroom);
    std::copy(plain.begin(), plain.end(), slot.begin() + kHeadroom);
    Packet packet(slot, kHeadroom, plain.size());
    Packet* one = &packet;
    out->seal(std::span(&one, 1), 1);
    std::vector<std::uint8_t> sealed(packet.bytes().begin(), packet.bytes().end());
    packet = Packet(sealed, 0, sealed.size());
    in->open(std::span(&one, 1), 1);
    CHECK(packet.drop == Drop::none);
    CHECK_EQ(packet.lengthBytes, plain.size());
    CHECK(std::equal(plain.begin() + 20, plain.end(), packet.bytes().begin() + 20));
  }
}

TEST("a replay window has the memory that its width needs") {
  CHECK(ReplayWindow(0, false).memoryBytes() <= 8);
  CHECK(ReplayWindow(32, false).memoryBytes() <= 16);
  CHECK(ReplayWindow(64, false).memoryBytes() <= 16);
  CHECK(ReplayWindow(1024, true).memoryBytes() <= 256);
  CHECK(ReplayWindow(65536, true).memoryBytes() <= 16384);
}

}  // namespace
