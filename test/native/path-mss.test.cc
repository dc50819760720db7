// MSS clamping: the option lowered, the checksum right over every byte, and everything else as it came.
#include "check.h"
#include "path-packets.h"
#include "path/mss.h"

namespace {

using packets::at16;
using packets::Bytes;

/** A TCP segment with its checksum left to `seal`. */
Bytes tcp(std::uint8_t flags, const Bytes& options, const Bytes& payload = {}) {
  Bytes segment(20 + options.size());
  packets::put16(segment, 0, 40000);
  packets::put16(segment, 2, 80);
  packets::put16(segment, 4, 0x1234);
  segment[12] = static_cast<std::uint8_t>(segment.size() / 4 * 16);
  segment[13] = flags;
  packets::put16(segment, 14, 64240);
  std::ranges::copy(options, segment.begin() + 20);
  segment.insert(segment.end(), payload.begin(), payload.end());
  return segment;
}

Bytes seal(Bytes packet, std::size_t upper) {
  packets::put16(packet, upper + 16, 0);
  packets::put16(packet, upper + 16,
                 packets::checksum(std::span(packet).subspan(upper), packets::pseudo(packet, 6, upper)));
  return packet;
}

Bytes mssOption(std::size_t mss, std::size_t nopsBefore = 0) {
  Bytes options(nopsBefore, 1);
  for (const std::size_t byte : {std::size_t{2}, std::size_t{4}, mss / 256, mss % 256})
    options.push_back(static_cast<std::uint8_t>(byte));
  while (options.size() % 4 != 0) options.push_back(0);
  return options;
}

constexpr std::uint8_t kSyn = 0x02;
constexpr std::uint8_t kSynAck = 0x12;

TEST("RFC 6691 §2: a SYN's MSS is lowered to the limit less 40 or 60 bytes, its checksum stays right") {
  std::mt19937 generator(1);
  for (int round = 0; round < 20000; round++) {
    const bool v6 = round % 2 == 0;
    const std::size_t mss = packets::below(generator, 65536);
    const std::size_t limit = 100 + packets::below(generator, 9000);
    // At even and odd places among the options.
    const std::size_t nops = packets::below(generator, 8);
    const Bytes payload = packets::random(generator, packets::below(generator, 30));
    const Bytes segment = tcp(round % 3 == 0 ? kSynAck : kSyn, mssOption(mss, nops), payload);
    const std::size_t head = v6 ? 40 : 20;
    Bytes packet = seal(v6 ? packets::ipv6(6, segment) : packets::ipv4(6, segment, 0x4000), head);
    const Bytes before = packet;
    const std::size_t fits = limit - (v6 ? 60 : 40);
    CHECK_EQ(ike::clampMss(packet, limit), mss > fits);
    CHECK_EQ(at16(packet, head + 20 + nops + 2), std::min(mss, fits));
    CHECK(packets::upperGood(packet, 6, head));
    if (!v6) CHECK(packets::ipv4HeaderGood(packet));
    // Nothing else has changed.
    for (std::size_t i = 0; i < packet.size(); i++)
      if (i != head + 16 && i != head + 17 && i != head + 22 + nops && i != head + 23 + nops)
        CHECK_EQ(packet[i], before[i]);
    // Once is enough.
    CHECK(!ike::clampMss(packet, limit));
  }
}

TEST("a checksum that was wrong stays as wrong: clamping mends nothing that it did not change") {
  Bytes packet = seal(packets::ipv4(6, tcp(kSyn, mssOption(1460))), 20);
  packet[36] ^= 0x55;
  CHECK(ike::clampMss(packet, 1400));
  CHECK(!packets::upperGood(packet, 6, 20));
  packet[36] ^= 0x55;
}

TEST("behind IPv4 options and IPv6 extension headers it is found too") {
  const Bytes segment = tcp(kSyn, mssOption(1460));
  Bytes v4 = seal(packets::ipv4(6, segment, 0, Bytes{148, 4, 0, 0, 1, 1, 1, 0}), 28);
  CHECK(ike::clampMss(v4, 1400));
  CHECK_EQ(at16(v4, 28 + 22), 1360);
  CHECK(packets::upperGood(v4, 6, 28));
  Bytes rest = {60, 0, 1, 4, 0, 0, 0, 0, 43, 1, 1, 12, 0, 0, 0, 0,
                0,  0, 0, 0, 0, 0, 0, 0, 6,  0, 0, 0,  0, 0, 0, 0};
  rest.insert(rest.end(), segment.begin(), segment.end());
  Bytes v6 = seal(packets::ipv6(0, rest), 72);
  CHECK(ike::clampMss(v6, 1400));
  CHECK_EQ(at16(v6, 72 + 22), 1340);
  CHECK(packets::upperGood(v6, 6, 72));
}

TEST("RFC 9293 §3.1: malformed options, other lengths, no option, no SYN and fragments stay as they are") {
  const auto stays = [](Bytes packet) {
    const Bytes before = packet;
    CHECK(!ike::clampMss(packet, 600));
    CHECK_EQ(packet, before);
  };
  for (const Bytes& options : {Bytes{}, Bytes{2, 3, 5, 180}, Bytes{2, 0, 5, 180}, Bytes{2, 1, 5, 180},
                               Bytes{1, 1, 1, 2}, Bytes{1, 1, 2, 4}, Bytes{3, 0, 0, 0, 2, 4, 5, 180},
                               Bytes{0, 0, 0, 0, 2, 4, 5, 180}, Bytes{2, 6, 5, 180, 5, 180, 0, 0},
                               // A good one before a broken list is left alone as well.
                               Bytes{2, 4, 5, 180, 3, 9, 7, 0}})
    stays(packets::ipv4(6, tcp(kSyn, options)));
  stays(packets::ipv4(6, tcp(0x10, mssOption(1460))));
  stays(packets::ipv4(17, tcp(kSyn, mssOption(1460))));
  stays(packets::ipv4(6, tcp(kSyn, mssOption(1460)), 0x2000));
  stays(packets::ipv4(6, tcp(kSyn, mssOption(1460)), 0x0001));
  stays(packets::ipv6(58, tcp(kSyn, mssOption(1460))));
  Bytes offset = packets::ipv4(6, tcp(kSyn, mssOption(1460)));
  offset[32] = 0xf0;
  stays(offset);
  offset[32] = 0x40;
  stays(offset);
  Bytes fragment = {6, 0, 0, 1, 0, 0, 0, 9};
  const Bytes segment = tcp(kSyn, mssOption(1460));
  fragment.insert(fragment.end(), segment.begin(), segment.end());
  stays(packets::ipv6(44, fragment));
}

TEST("a limit that has no room for headers changes nothing") {
  Bytes packet = seal(packets::ipv4(6, tcp(kSyn, mssOption(1460))), 20);
  for (const std::size_t limit : {0u, 1u, 39u, 40u}) CHECK(!ike::clampMss(packet, limit));
  CHECK(ike::clampMss(packet, 41));
  CHECK_EQ(at16(packet, 42), 1);
}

TEST("random bytes and damaged SYNs: nothing outside of the packet is touched, sums stay what they were") {
  std::mt19937 generator(5);
  for (int round = 0; round < 100000; round++) {
    const Bytes options = packets::random(generator, 4 * packets::below(generator, 11));
    const Bytes segment = tcp(static_cast<std::uint8_t>(generator() | 2u), options);
    Bytes packet = round % 3 == 0   ? packets::random(generator, packets::below(generator, 120))
                   : round % 3 == 1 ? seal(packets::ipv4(6, segment), 20)
                                    : seal(packets::ipv6(6, segment), 40);
    const bool damaged = round % 2 == 0;
    if (damaged)
      for (std::size_t i = packets::below(generator, 5); i > 0 && !packet.empty(); i--)
        packet[packets::below(generator, packet.size())] = static_cast<std::uint8_t>(generator());
    ike::clampMss(packet, packets::below(generator, 2000));
    if (!damaged && round % 3 != 0) CHECK(packets::upperGood(packet, 6, round % 3 == 1 ? 20 : 40));
  }
}

}  // namespace
