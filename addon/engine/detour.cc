// Rare packets, one family after the other.
#include "engine/detour.h"

#include <cerrno>

#include "net/vnet.h"

namespace ike {
namespace {

constexpr int kSendWaits = 3;

bool isV6(std::span<const std::uint8_t> packet) noexcept { return packet[0] >> 4 == 6; }

}  // namespace

void Detour::take(std::span<Packet> packets, std::int64_t nowNs) noexcept {
  bool bypasses = false;
  for (const Packet& packet : packets) {
    if (packet.drop == Drop::none) continue;
    bypasses = bypasses || packet.bypass;
    if (packet.drop == Drop::tooBig && packet.fitsBytes != 0) answer(packet.bytes(), packet.fitsBytes, nowNs);
  }
  if (bypasses && !shared_.bypass.empty()) bypass(packets, nowNs);
}

void Detour::bypass(std::span<Packet> packets, std::int64_t nowNs) noexcept {
  for (const RawSocket& socket : shared_.bypass) {
    std::size_t count = 0;
    for (const Packet& packet : packets)
      if (packet.bypass && isV6(packet.bytes()) == socket.local().isV6())
        datagrams_[count++] = {.data = packet.bytes(), .error = 0};
    if (count > 0) send(socket, std::span(datagrams_).first(count), nowNs);
  }
}

void Detour::send(const RawSocket& socket, std::span<RawDatagram> datagrams, std::int64_t nowNs) noexcept {
  socket.send(batch_, datagrams, kSendWaits);
  for (const RawDatagram& datagram : datagrams) {
    if (datagram.error == 0) continue;
    if (datagram.error != EMSGSIZE || !shared_.paths) {
      shared_.outside.count(Drop::send);
      continue;
    }
    shared_.outside.count(Drop::tooBig);
    answer(datagram.data, kernelPathMtu(destinationOf(datagram.data), shared_.paths->mark()), nowNs);
  }
}

void Detour::answer(std::span<const std::uint8_t> packet, std::size_t fitsBytes,
                    std::int64_t nowNs) noexcept {
  if (answersLeft_ == 0 || !limiter_.allow(sourceOf(packet), nowNs)) return;
  std::array<std::uint8_t, kMaxAnswerBytes> room;
  const std::size_t lengthBytes = writeTooBig(packet, fitsBytes, room);
  if (lengthBytes == 0) return;
  if (answersLeft_ != SIZE_MAX) answersLeft_--;
  VnetHeader header;
  const iovec pieces[] = {{&header, sizeof header}, {room.data(), lengthBytes}};
  if (!tun_.write(pieces)) shared_.outside.count(Drop::tunWrite);
}

}  // namespace ike
