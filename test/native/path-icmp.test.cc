// The answers to packets that are too large: what they say, that their sums are right over every byte, and to
// what nobody answers.
#include "check.h"
#include "path-packets.h"
#include "path/icmp.h"

namespace {

using packets::at16;
using packets::Bytes;

Bytes answer(const Bytes& packet, std::size_t mtu) {
  Bytes room(ike::kMaxAnswerBytes, 0xee);
  room.resize(ike::writeTooBig(packet, mtu, room));
  return room;
}

TEST(
    "RFC 1191 §4: fragmentation needed quotes the packet, says the MTU and has right sums, for every "
    "length") {
  std::mt19937 generator(1);
  for (std::size_t payload = 8; payload < 1600; payload++) {
    const Bytes packet = packets::ipv4(17, packets::random(generator, payload), 0x4000);
    const Bytes made = answer(packet, 600 + payload);
    CHECK(packets::ipv4HeaderGood(made));
    // RFC 1812 §4.3.2.3: as much of the packet as makes 576 bytes.
    CHECK_EQ(made.size(), std::min<std::size_t>(576, 28 + packet.size()));
    CHECK_EQ(made[9], 1);
    CHECK_EQ(Bytes(made.begin() + 12, made.begin() + 16), Bytes({10, 2, 0, 1}));
    CHECK_EQ(Bytes(made.begin() + 16, made.begin() + 20), Bytes({10, 1, 0, 1}));
    CHECK_EQ(made[20], 3);
    CHECK_EQ(made[21], 4);
    CHECK_EQ(at16(made, 24), 0);
    CHECK_EQ(at16(made, 26), 600 + payload);
    CHECK_EQ(packets::checksum(std::span(made).subspan(20)), 0);
    CHECK(std::equal(made.begin() + 28, made.end(), packet.begin()));
  }
}

TEST(
    "RFC 4443 §3.2: packet too big quotes the packet up to 1280 bytes and has a right sum, for every "
    "length") {
  std::mt19937 generator(2);
  for (std::size_t payload = 8; payload < 1600; payload++) {
    const Bytes packet = packets::ipv6(17, packets::random(generator, payload));
    const Bytes made = answer(packet, 1300 + payload);
    CHECK_EQ(made.size(), std::min<std::size_t>(1280, 48 + packet.size()));
    CHECK_EQ(at16(made, 4) + 40u, made.size());
    CHECK_EQ(made[6], 58);
    CHECK(std::equal(made.begin() + 8, made.begin() + 24, packet.begin() + 24));
    CHECK(std::equal(made.begin() + 24, made.begin() + 40, packet.begin() + 8));
    CHECK_EQ(made[40], 2);
    CHECK_EQ(made[41], 0);
    CHECK_EQ(at16(made, 44) * 65536u + at16(made, 46), 1300 + payload);
    CHECK(packets::upperGood(made, 58, 40));
    CHECK(std::equal(made.begin() + 48, made.end(), packet.begin()));
  }
}

TEST("RFC 8200 §5: an IPv6 host is never told less than 1280") {
  const Bytes made = answer(packets::ipv6(17, Bytes(1400)), 1000);
  CHECK_EQ(at16(made, 46), 1280);
}

TEST("RFC 1122 §3.2.2: no answer to ICMP errors, fragments after the first, broadcast, multicast, nobody") {
  const auto question = [](std::uint8_t type) {
    Bytes icmp(600);
    icmp[0] = type;
    return packets::ipv4(1, icmp, 0x4000);
  };
  for (const std::uint8_t type : Bytes{3, 4, 5, 11, 12}) CHECK(answer(question(type), 576).empty());
  for (const std::uint8_t type : Bytes{0, 8, 13, 14}) CHECK(!answer(question(type), 576).empty());
  CHECK(answer(packets::ipv4(17, Bytes(600), 0x4001), 576).empty());
  CHECK(!answer(packets::ipv4(17, Bytes(600), 0x6000), 576).empty());
  for (const std::size_t place : {12u, 16u})
    for (const std::uint8_t net : Bytes{0, 127, 224, 239, 240, 255}) {
      Bytes packet = packets::ipv4(17, Bytes(600), 0x4000);
      packet[place] = net;
      CHECK(answer(packet, 576).empty());
    }
}

TEST(
    "RFC 4443 §2.4: no answer to ICMPv6 errors and redirects, fragments after the first, multicast, nobody") {
  const auto question = [](std::uint8_t type, const Bytes& before, std::uint8_t first) {
    Bytes rest = before;
    rest.resize(before.size() + 1400);
    rest[before.size()] = type;
    return packets::ipv6(first, rest);
  };
  const Bytes hopByHop = {58, 0, 1, 4, 0, 0, 0, 0};
  for (const std::uint8_t type : Bytes{1, 2, 3, 4, 100, 127, 137}) {
    CHECK(answer(question(type, {}, 58), 1280).empty());
    CHECK(answer(question(type, hopByHop, 0), 1280).empty());
  }
  for (const std::uint8_t type : Bytes{128, 129, 135, 255}) {
    CHECK(!answer(question(type, {}, 58), 1280).empty());
    CHECK(!answer(question(type, hopByHop, 0), 1280).empty());
  }
  const Bytes firstFragment = {17, 0, 0, 1, 0, 0, 0, 9};
  const Bytes laterFragment = {17, 0, 0, 8, 0, 0, 0, 9};
  CHECK(!answer(question(0, firstFragment, 44), 1280).empty());
  CHECK(answer(question(0, laterFragment, 44), 1280).empty());
  Bytes multicast = packets::ipv6(17, Bytes(1400));
  multicast[24] = 0xff;
  CHECK(answer(multicast, 1280).empty());
  Bytes nobody = packets::ipv6(17, Bytes(1400));
  std::fill(nobody.begin() + 8, nobody.begin() + 24, std::uint8_t{0});
  CHECK(answer(nobody, 1280).empty());
}

TEST("an answer is never answered, and a room that is too small stays as it is") {
  for (const Bytes& packet : {packets::ipv4(17, Bytes(1400), 0x4000), packets::ipv6(17, Bytes(1400))}) {
    CHECK(answer(answer(packet, 1300), 500).empty());
    Bytes small(100, 0xee);
    CHECK_EQ(ike::writeTooBig(packet, 1300, small), 0u);
    CHECK_EQ(small, Bytes(100, 0xee));
  }
}

TEST("random bytes and damaged packets get a correct answer or none") {
  std::mt19937 generator(3);
  std::size_t answered = 0;
  for (int round = 0; round < 60000; round++) {
    Bytes packet = round % 3 == 0 ? packets::random(generator, packets::below(generator, 100))
                   : round % 3 == 1
                       ? packets::ipv4(static_cast<std::uint8_t>(generator() % 4),
                                       packets::random(generator, packets::below(generator, 60)))
                       : packets::ipv6(static_cast<std::uint8_t>(generator() % 61),
                                       packets::random(generator, packets::below(generator, 90)));
    for (std::size_t i = packets::below(generator, 4); i > 0 && !packet.empty(); i--)
      packet[packets::below(generator, packet.size())] = static_cast<std::uint8_t>(generator());
    CHECK(ike::sourceOf(packet).length <= 16);
    const Bytes made = answer(packet, packets::below(generator, 2000));
    if (made.empty()) continue;
    answered++;
    if (made[0] >> 4 == 4) {
      CHECK(packets::ipv4HeaderGood(made));
      CHECK_EQ(packets::checksum(std::span(made).subspan(20)), 0);
    } else {
      CHECK(packets::upperGood(made, 58, 40));
    }
  }
  CHECK(answered > 1000);
}

TEST("RFC 4443 §2.4: answers to one address are bounded: a burst, then one a tenth of a second") {
  ike::AnswerLimiter limiter;
  const auto one = ike::Address::from(Bytes{10, 1, 0, 1});
  const auto other = ike::Address::from(Bytes{10, 1, 0, 2});
  std::int64_t now = 1'000'000'000'000;
  std::size_t allowed = 0;
  for (int i = 0; i < 100; i++) allowed += limiter.allow(one, now) ? 1 : 0;
  CHECK_EQ(allowed, ike::AnswerLimiter::kBurst);
  CHECK(limiter.allow(other, now));
  // A second of a flood every millisecond.
  allowed = 0;
  for (int i = 0; i < 1000; i++) allowed += limiter.allow(one, now += 1'000'000) ? 1 : 0;
  CHECK_EQ(allowed, 10u);
  // After a rest the burst is there again, and not more.
  now += 60'000'000'000;
  allowed = 0;
  for (int i = 0; i < 100; i++) allowed += limiter.allow(one, now) ? 1 : 0;
  CHECK_EQ(allowed, ike::AnswerLimiter::kBurst);
}

}  // namespace
