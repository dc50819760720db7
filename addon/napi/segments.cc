// Each packet in memory of exactly its length, so that a sanitizer sees a read past its end.
#include "napi/segments.h"

#include <cstring>
#include <vector>

#include "napi/arguments.h"
#include "napi/values.h"
#include "net/segment-joiner.h"
#include "net/segment-splitter.h"

namespace ike {
namespace {

constexpr std::size_t kMaxPacketBytes = 65535;

}  // namespace

Napi::Value splitPacket(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::vector<std::uint8_t> head = arguments.bytes(arguments.at(0), "header", sizeof(VnetHeader));
  std::vector<std::uint8_t> packet = arguments.bytes(arguments.at(1), "packet", kMaxPacketBytes);
  if (!arguments.failed() && head.size() != sizeof(VnetHeader))
    arguments.refuse("header", "10 bytes long", true);
  if (arguments.failed()) return {};
  VnetHeader header;
  std::memcpy(&header, head.data(), sizeof header);
  const Values values(info.Env());
  const napi_value output = values.array();
  if (!header.segmented()) {
    if (!completeChecksum(header, packet)) return {info.Env(), values.undefined()};
    values.push(output, 0, values.bytes(packet));
    return {info.Env(), output};
  }
  std::optional<SegmentSplitter> splitter = SegmentSplitter::open(header, packet);
  if (!splitter) return {info.Env(), values.undefined()};
  std::vector<std::uint8_t> room(packet.size());
  for (std::size_t i = 0; !splitter->done(); i++) {
    const std::size_t lengthBytes = splitter->next(room);
    values.push(output, i, values.bytes(std::span(room).first(lengthBytes)));
  }
  return {info.Env(), output};
}

Napi::Value joinPackets(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::vector<std::vector<std::uint8_t>> packets = arguments.packets(arguments.at(0), "packets");
  if (arguments.failed()) return {};
  const Values values(info.Env());
  const napi_value output = values.array();
  SegmentJoiner joiner(true);
  std::size_t written = 0;
  const auto write = [&] {
    std::vector<std::uint8_t> whole;
    for (const iovec& piece : joiner.take()) {
      const auto* const start = static_cast<const std::uint8_t*>(piece.iov_base);
      whole.insert(whole.end(), start, start + piece.iov_len);
    }
    if (!whole.empty()) values.push(output, written++, values.bytes(whole));
  };
  for (std::vector<std::uint8_t>& packet : packets) {
    if (joiner.add(packet)) continue;
    write();
    joiner.add(packet);
  }
  write();
  return {info.Env(), output};
}

}  // namespace ike
