// Fragments: each a correct packet that fits, and all together the packet that they were, put together by a
// reassembly of our own.
#include <map>

#include "check.h"
#include "path-packets.h"
#include "path/fragmenter.h"

namespace {

using ike::Fragmenter;
using packets::at16;
using packets::Bytes;

/** All fragments, each in memory of its own; fails when one does not come. */
std::vector<Bytes> cut(const Bytes& packet, std::size_t mtu, std::uint32_t id = 0) {
  std::vector<Bytes> all;
  auto fragmenter = Fragmenter::open(packet, mtu, id);
  CHECK(fragmenter.has_value());
  while (!fragmenter->done()) {
    Bytes room(mtu);
    const std::size_t lengthBytes = fragmenter->next(room);
    CHECK(lengthBytes > 0 && lengthBytes <= mtu);
    room.resize(lengthBytes);
    all.push_back(room);
    CHECK(all.size() <= 65536 / 8 + 1);
  }
  Bytes room(mtu);
  CHECK_EQ(fragmenter->next(room), 0u);
  return all;
}

/** The payload that IPv4 fragments make, which may come in any order; checks each one's header. */
Bytes joinV4(std::vector<Bytes> fragments, bool lastHasMore, std::size_t base) {
  std::map<std::size_t, Bytes> parts;
  for (const Bytes& fragment : fragments) {
    CHECK(packets::ipv4HeaderGood(fragment));
    const std::size_t head = (fragment[0] & 15u) * 4u;
    parts[(at16(fragment, 6) & 0x1fffu) * 8u] =
        Bytes(fragment.begin() + static_cast<long>(head), fragment.end());
    const bool more = (at16(fragment, 6) & 0x2000) != 0;
    const bool last = (at16(fragment, 6) & 0x1fff) == (at16(fragments.back(), 6) & 0x1fff);
    CHECK_EQ(more, !last || lastHasMore);
    if (more) CHECK_EQ((fragment.size() - head) % 8, 0u);
    CHECK_EQ(at16(fragment, 4), 0xbeef);
  }
  Bytes whole;
  for (const auto& [offset, bytes] : parts) {
    CHECK_EQ(offset, base + whole.size());
    whole.insert(whole.end(), bytes.begin(), bytes.end());
  }
  return whole;
}

TEST("RFC 791 §3.2: fragments of every length and MTU are correct packets that make the whole again") {
  std::mt19937 generator(1);
  for (int round = 0; round < 3000; round++) {
    const Bytes payload = packets::random(generator, 1 + packets::below(generator, 4000));
    const std::size_t mtu = 28 + packets::below(generator, 1500);
    const Bytes packet = packets::ipv4(17, payload);
    const auto fragments = cut(packet, mtu);
    CHECK_EQ(joinV4(fragments, false, 0), payload);
    for (const Bytes& fragment : fragments) {
      CHECK_EQ(fragment[1], 0x28);
      CHECK_EQ(fragment[8], 63);
      CHECK_EQ(fragment[9], 17);
    }
    // No more than needed: all but the last are as full as a multiple of 8 allows, and the last two would not
    // have gone together.
    for (std::size_t i = 0; i + 1 < fragments.size(); i++)
      CHECK_EQ(fragments[i].size(), 20 + (mtu - 20) / 8 * 8);
    if (fragments.size() > 1) CHECK(fragments.back().size() + fragments[0].size() - 20 > mtu);
  }
}

TEST("RFC 791 §3.2: a fragment is cut further, with its own offset and its own more-fragments flag") {
  std::mt19937 generator(2);
  for (int round = 0; round < 500; round++) {
    const bool more = round % 2 == 0;
    const Bytes payload = packets::random(generator, 8 * (1 + packets::below(generator, 300)));
    const std::size_t base = packets::below(generator, 5000);
    const Bytes packet = packets::ipv4(6, payload, static_cast<std::uint16_t>(base | (more ? 0x2000u : 0u)));
    CHECK_EQ(joinV4(cut(packet, 28 + packets::below(generator, 900)), more, base * 8), payload);
  }
}

TEST("RFC 791 §3.1: options with the copied flag are in every fragment, the others in the first alone") {
  // Router alert (copied), record route (not), NOP, security (copied, 11 bytes), end, padding.
  const Bytes options = {148, 4, 0, 0, 7, 7, 4, 1, 2, 3, 4, 1, 130, 11, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0};
  const Bytes payload(600, 0x5a);
  const auto fragments = cut(packets::ipv4(17, payload, 0, options), 200);
  CHECK(fragments.size() > 3);
  CHECK_EQ(joinV4(fragments, false, 0), payload);
  CHECK_EQ(fragments[0][0], 0x40 | (20 + 24) / 4);
  CHECK_EQ(Bytes(fragments[0].begin() + 20, fragments[0].begin() + 44), options);
  const Bytes copied = {148, 4, 0, 0, 130, 11, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0};
  for (std::size_t i = 1; i < fragments.size(); i++) {
    CHECK_EQ(fragments[i][0], 0x40 | (20 + 16) / 4);
    CHECK_EQ(Bytes(fragments[i].begin() + 20, fragments[i].begin() + 36), copied);
  }
}

TEST("what may not be cut is refused: DF, wrong lengths, no payload, no room, more than an offset can say") {
  const Bytes payload(600, 1);
  CHECK(!Fragmenter::open(packets::ipv4(17, payload, 0x4000), 200));
  CHECK(!Fragmenter::open(packets::ipv4(17, payload), 27));
  CHECK(Fragmenter::open(packets::ipv4(17, payload), 28));
  CHECK(!Fragmenter::open(packets::ipv4(17, {}), 200));
  Bytes longer = packets::ipv4(17, payload);
  longer.push_back(0);
  CHECK(!Fragmenter::open(longer, 200));
  Bytes cutShort = packets::ipv4(17, payload);
  cutShort.pop_back();
  CHECK(!Fragmenter::open(cutShort, 200));
  CHECK(!Fragmenter::open(packets::ipv4(17, payload, 0x1fff), 200));
  CHECK(!Fragmenter::open(packets::ipv4(17, Bytes(601, 1), 0x2000), 200));
  CHECK(!Fragmenter::open(Bytes{}, 200));
  CHECK(!Fragmenter::open(packets::ipv6(44, Bytes(600, 1)), 200));
  CHECK(!Fragmenter::open(packets::ipv6(17, payload), 55));
  CHECK(Fragmenter::open(packets::ipv6(17, payload), 56));
}

TEST("RFC 8200 §4.5: IPv6 fragments repeat what nodes on the way look at, and make the whole again") {
  std::mt19937 generator(3);
  for (int round = 0; round < 2000; round++) {
    // Hop-by-hop options and a routing header stay in front, destination options before it too.
    std::uint8_t first = 50;
    std::size_t last = 6;
    Bytes extensions;
    const auto add = [&](std::uint8_t kind, std::size_t units) {
      Bytes header = packets::random(generator, 8 * units);
      header[0] = 50;
      header[1] = static_cast<std::uint8_t>(units - 1);
      if (extensions.empty())
        first = kind;
      else
        extensions[last - 40] = kind;
      last = 40 + extensions.size();
      extensions.insert(extensions.end(), header.begin(), header.end());
    };
    std::size_t whole = 40;
    if (round % 2 == 0) add(0, 1 + packets::below(generator, 3)), whole = 40 + extensions.size();
    if (round % 3 == 0) add(60, 1);
    if (round % 5 == 0) add(43, 2), whole = 40 + extensions.size();
    const Bytes payload = packets::random(generator, 1 + packets::below(generator, 3000));
    Bytes rest = extensions;
    rest.insert(rest.end(), payload.begin(), payload.end());
    const Bytes packet = packets::ipv6(first, rest);
    const auto id = static_cast<std::uint32_t>(generator());
    const auto fragments = cut(packet, whole + 8 + 8 + packets::below(generator, 1300), id);
    Bytes joined(packet.begin(), packet.begin() + static_cast<long>(whole));
    std::uint8_t next = 0;
    for (std::size_t i = 0; i < fragments.size(); i++) {
      const Bytes& fragment = fragments[i];
      CHECK_EQ(at16(fragment, 4) + 40u, fragment.size());
      const std::size_t offset = at16(fragment, whole + 2) & 0xfff8u;
      CHECK_EQ(offset + whole, joined.size());
      CHECK_EQ(at16(fragment, whole + 2) & 7, i + 1 < fragments.size() ? 1 : 0);
      CHECK_EQ(at16(fragment, whole + 4) * 65536u + at16(fragment, whole + 6), id);
      next = fragment[whole];
      joined.insert(joined.end(), fragment.begin() + static_cast<long>(whole + 8), fragment.end());
      // All in front is the packet's own but for two fields.
      for (std::size_t j = 0; j < whole; j++)
        if (j != 4 && j != 5 && fragment[j] != packet[j]) CHECK_EQ(fragment[j], 44);
    }
    // The field that says 44 in the fragments says `next` in the packet.
    for (std::size_t j = 0; j < whole; j++)
      if (j != 4 && j != 5 && fragments[0][j] != packet[j]) CHECK_EQ(packet[j], next);
    CHECK_EQ(joined, packet);
  }
}

TEST("random bytes and damaged packets: fragments fit, or there are none") {
  std::mt19937 generator(4);
  for (int round = 0; round < 60000; round++) {
    Bytes packet = round % 3 == 0 ? packets::random(generator, packets::below(generator, 200))
                   : round % 3 == 1
                       ? packets::ipv4(17, packets::random(generator, packets::below(generator, 300)),
                                       static_cast<std::uint16_t>(generator()),
                                       packets::random(generator, 4 * packets::below(generator, 11)))
                       : packets::ipv6(static_cast<std::uint8_t>(generator() % 64),
                                       packets::random(generator, packets::below(generator, 300)));
    for (std::size_t i = packets::below(generator, 4); i > 0 && !packet.empty(); i--)
      packet[packets::below(generator, packet.size())] = static_cast<std::uint8_t>(generator());
    const std::size_t mtu = packets::below(generator, 300);
    auto fragmenter = Fragmenter::open(packet, mtu, 7);
    if (!fragmenter) continue;
    std::size_t count = 0;
    while (!fragmenter->done()) {
      Bytes room(mtu);
      const std::size_t lengthBytes = fragmenter->next(room);
      CHECK(lengthBytes > 0 && lengthBytes <= mtu);
      CHECK(++count <= packet.size());
    }
  }
}

}  // namespace
