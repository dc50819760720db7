// Packets into the joiner, what it gives into the splitter: what comes out must be what went in, byte for
// byte. And headers of the device straight from the input before packets from it. An input is records: a
// whole packet, or the next segment of a flow bent in some byte, or a header and a packet for the splitter
// alone.
#include "net/segment-joiner.h"

#include <cstring>

#include "fuzz/fuzz.h"
#include "net/segment-splitter.h"
#include "support.h"

namespace {

using namespace support;
using ike::SegmentJoiner;
using ike::SegmentSplitter;
using ike::VnetHeader;

constexpr std::size_t kMaxRecords = 150;

void splitAlone(const VnetHeader& header, std::span<const std::uint8_t> bytes) {
  Batch batch;
  const std::span<std::uint8_t> packet = batch.addOuter(bytes).bytes();
  if (auto splitter = SegmentSplitter::open(header, packet)) {
    const auto room = std::make_unique<std::uint8_t[]>(packet.size());
    std::size_t parts = 0;
    while (!splitter->done()) {
      const std::size_t written = splitter->next({room.get(), packet.size()});
      FUZZ_CHECK(written > 0 && written <= packet.size());
      FUZZ_CHECK(++parts <= packet.size());
    }
  }
  ike::completeChecksum(header, packet);
}

/** A TCP segment with good checksums; what `flags` does not say is the same for all of a flow. */
Bytes segmentOf(bool v6, std::uint32_t sequence, std::uint16_t id, std::uint8_t flags,
                std::span<const std::uint8_t> payload) {
  Bytes tcp(20);
  put16(tcp, 0, 40000);
  put16(tcp, 2, 80);
  ike::store32(tcp.data() + 4, sequence);
  tcp[12] = 0x50;
  tcp[13] = flags;
  tcp.insert(tcp.end(), payload.begin(), payload.end());
  Bytes packet = ipPacket(v6, 6, tcp, id);
  const std::size_t ipBytes = v6 ? 40 : 20;
  const auto all = std::span<const std::uint8_t>(packet);
  const auto addresses = v6 ? all.subspan(8, 32) : all.subspan(12, 8);
  const std::uint64_t sum = ike::pseudoSum(addresses, 6, tcp.size()) + ike::onesSum(all.subspan(ipBytes));
  ike::storeWord(packet.data() + ipBytes + 16, static_cast<std::uint16_t>(~ike::foldSum(sum)));
  return packet;
}

void unjoin(std::span<const iovec> pieces, std::vector<Bytes>& out) {
  VnetHeader header;
  FUZZ_CHECK(pieces[0].iov_len == sizeof header);
  std::memcpy(&header, pieces[0].iov_base, sizeof header);
  Bytes whole;
  for (const iovec& piece : pieces.subspan(1)) {
    const auto* const bytes = static_cast<const std::uint8_t*>(piece.iov_base);
    whole.insert(whole.end(), bytes, bytes + piece.iov_len);
  }
  if (!header.segmented()) {
    out.push_back(std::move(whole));
    return;
  }
  auto splitter = SegmentSplitter::open(header, whole);
  FUZZ_CHECK(splitter.has_value());
  while (!splitter->done()) {
    Bytes room(whole.size());
    room.resize(splitter->next(room));
    FUZZ_CHECK(!room.empty());
    out.push_back(std::move(room));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Reader reader({data, size});
  std::vector<Bytes> packets;
  std::uint32_t sequence = 1;
  std::uint16_t id = 1;
  for (std::size_t i = 0; i < kMaxRecords && !reader.done(); i++) {
    const std::uint8_t what = reader.byte();
    const bool v6 = (what & 8) != 0;
    switch (what % 8) {
      case 0: {
        const auto bytes = reader.bytes(reader.below(256));
        packets.emplace_back(bytes.begin(), bytes.end());
        break;
      }
      case 1: {
        VnetHeader header;
        const auto raw = reader.bytes(sizeof header);
        std::memcpy(&header, raw.data(), raw.size());
        splitAlone(header, reader.bytes(reader.below(256)));
        break;
      }
      case 2: {
        // A header that fits but for what the input says.
        const auto start = static_cast<std::uint16_t>(v6 ? 40 : 20);
        VnetHeader header{.flags = VnetHeader::kNeedsChecksum,
                          .gsoType = v6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4,
                          .headerBytes = 0,
                          .segmentBytes = reader.byte(),
                          .checksumStart = static_cast<std::uint16_t>(start + reader.byte() / 128),
                          .checksumOffset = 16};
        Bytes packet = segmentOf(v6, 1, 1, 0x10, reader.bytes(reader.below(256)));
        packet[reader.byte() % packet.size()] ^= reader.byte();
        splitAlone(header, packet);
        break;
      }
      default: {
        const auto payload = reader.bytes(1 + what % 4 * 5u);
        Bytes packet = segmentOf(v6, sequence, id++, (what & 16) != 0 ? 0x18 : 0x10, payload);
        sequence += static_cast<std::uint32_t>(payload.size());
        if ((what & 0xe0) == 0xe0) packet[reader.byte() % packet.size()] ^= reader.byte();
        packets.push_back(std::move(packet));
      }
    }
  }
  Batch batch;
  for (const Bytes& packet : packets) batch.addOuter(packet);
  SegmentJoiner joiner(true);
  std::vector<Bytes> out;
  for (ike::Packet& packet : batch.packets()) {
    if (joiner.add(packet.bytes())) continue;
    unjoin(joiner.take(), out);
    FUZZ_CHECK(joiner.add(packet.bytes()));
  }
  if (joiner.count() > 0) unjoin(joiner.take(), out);
  FUZZ_CHECK(out == packets);
  return 0;
}
