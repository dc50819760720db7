// Splitter and joiner in memory that ends where a packet ends: what was joined and is split again is what
// came, and headers that lie lead nowhere outside.
#include "check.h"
#include "net/segment-joiner.h"
#include "net/segment-splitter.h"
#include "support.h"

namespace {

using namespace support;
using ike::SegmentJoiner;
using ike::SegmentSplitter;
using ike::VnetHeader;

struct Flow {
  bool v6;
  std::uint32_t sequence;
  std::uint16_t id;
  std::size_t optionBytes;
};

constexpr std::uint8_t kAck = 0x10;
constexpr std::uint8_t kPsh = 0x08;

/** The next TCP segment of a flow, with a good checksum. */
Bytes segmentOf(Flow& flow, std::size_t payloadBytes, std::uint8_t flags, std::mt19937& random) {
  Bytes tcp(20 + flow.optionBytes + payloadBytes);
  put16(tcp, 0, 40000);
  put16(tcp, 2, 80);
  ike::store32(tcp.data() + 4, flow.sequence);
  ike::store32(tcp.data() + 8, 77);
  tcp[12] = static_cast<std::uint8_t>((20 + flow.optionBytes) / 4 << 4);
  tcp[13] = flags;
  put16(tcp, 14, 512);
  for (std::size_t i = 0; i < payloadBytes; i++)
    tcp[20 + flow.optionBytes + i] = static_cast<std::uint8_t>(random());
  flow.sequence += static_cast<std::uint32_t>(payloadBytes);
  Bytes packet = ipPacket(flow.v6, 6, tcp, flow.id++);
  const std::size_t ipBytes = flow.v6 ? 40 : 20;
  const auto all = std::span<const std::uint8_t>(packet);
  const auto addresses = flow.v6 ? all.subspan(8, 32) : all.subspan(12, 8);
  const std::uint64_t sum = ike::pseudoSum(addresses, 6, tcp.size()) + ike::onesSum(all.subspan(ipBytes));
  ike::storeWord(packet.data() + ipBytes + 16, static_cast<std::uint16_t>(~ike::foldSum(sum)));
  return packet;
}

/** What comes out when the kernel cuts again what it was given. */
void unjoin(std::span<const iovec> pieces, std::vector<Bytes>& out) {
  VnetHeader header;
  CHECK_EQ(pieces[0].iov_len, sizeof header);
  std::memcpy(&header, pieces[0].iov_base, sizeof header);
  Bytes whole;
  for (const iovec& piece : pieces.subspan(1)) {
    const auto* const bytes = static_cast<const std::uint8_t*>(piece.iov_base);
    whole.insert(whole.end(), bytes, bytes + piece.iov_len);
  }
  if (!header.segmented()) {
    CHECK(ike::completeChecksum(header, whole));
    out.push_back(whole);
    return;
  }
  auto splitter = SegmentSplitter::open(header, whole);
  CHECK(splitter.has_value());
  while (!splitter->done()) {
    Bytes room(whole.size());
    room.resize(splitter->next(room));
    CHECK(!room.empty());
    out.push_back(room);
  }
}

TEST(
    "RFC 9293 §3.1: random flows, mixed and damaged: joined and split again they are what came, byte for "
    "byte") {
  std::mt19937 random(3);
  std::size_t joined = 0;
  for (int round = 0; round < 300; round++) {
    std::vector<Bytes> packets;
    while (packets.size() < 100) {
      Flow flow{random() % 2 == 0, static_cast<std::uint32_t>(random()), static_cast<std::uint16_t>(random()),
                random() % 2 * 12};
      const std::size_t size = 1 + random() % 1400;
      for (std::size_t count = 1 + random() % 70; count > 0; count--)
        packets.push_back(segmentOf(
            flow, count == 1 ? 1 + random() % size : size,
            static_cast<std::uint8_t>(count == 1 && random() % 2 == 0 ? kAck | kPsh : kAck), random));
    }
    for (std::size_t turns = random() % 4; turns > 0; turns--) {
      Bytes& packet = packets[random() % packets.size()];
      packet[random() % std::min<std::size_t>(packet.size(), 70)] ^=
          static_cast<std::uint8_t>(1 << random() % 8);
    }
    Batch batch;
    for (const Bytes& packet : packets) batch.addOuter(packet);
    SegmentJoiner joiner(true);
    std::vector<Bytes> out;
    for (ike::Packet& packet : batch.packets()) {
      if (joiner.add(packet.bytes())) continue;
      joined += joiner.count() - 1;
      unjoin(joiner.take(), out);
      CHECK(joiner.add(packet.bytes()));
    }
    unjoin(joiner.take(), out);
    CHECK_EQ(out.size(), packets.size());
    for (std::size_t i = 0; i < out.size(); i++) CHECK_EQ(out[i], packets[i]);
  }
  CHECK(joined > 10'000);
}

TEST(
    "headers that lie, before packets that do: refused, or cut into parts that fit their room and come to an "
    "end") {
  std::mt19937 random(4);
  std::size_t cut = 0;
  for (int round = 0; round < 60'000; round++) {
    Flow flow{random() % 2 == 0, 1, 1, 0};
    Bytes bytes = segmentOf(flow, random() % 300, kAck, random);
    const auto start = static_cast<std::uint16_t>(flow.v6 ? 40 : 20);
    VnetHeader header{.flags = VnetHeader::kNeedsChecksum,
                      .gsoType = flow.v6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4,
                      .headerBytes = static_cast<std::uint16_t>(start + 20),
                      .segmentBytes = static_cast<std::uint16_t>(1 + random() % 200),
                      .checksumStart = start,
                      .checksumOffset = 16};
    std::array<std::uint8_t, sizeof header> raw;
    std::memcpy(raw.data(), &header, sizeof header);
    for (std::size_t turns = random() % 3; turns > 0; turns--)
      raw[random() % raw.size()] = static_cast<std::uint8_t>(random());
    for (std::size_t turns = random() % 3; turns > 0; turns--)
      bytes[random() % std::min<std::size_t>(bytes.size(), 70)] = static_cast<std::uint8_t>(random());
    std::memcpy(&header, raw.data(), sizeof header);
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    Batch batch;
    const std::span<std::uint8_t> packet = batch.addOuter(bytes).bytes();
    auto splitter = SegmentSplitter::open(header, packet);
    if (splitter) cut++;
    std::size_t parts = 0;
    while (splitter && !splitter->done()) {
      const auto room = std::make_unique<std::uint8_t[]>(400);
      // Too little room now and then.
      const std::size_t roomBytes = random() % 16 == 0 ? random() % 60 : 400;
      const std::size_t written = splitter->next({room.get(), roomBytes});
      CHECK(written <= roomBytes);
      CHECK(++parts < 10'000);
      if (roomBytes == 400 && written == 0) break;
    }
    ike::completeChecksum(header, packet);
  }
  CHECK(cut > 5'000 && cut < 55'000);
}

}  // namespace
