// One batch at a time. The lock is held twice, shortly: while SAs are found and numbers taken, and for
// counting.
#include "engine/outbound-worker.h"

#include <openssl/rand.h>

#include <cerrno>

#include "net/checksum.h"
#include "net/words.h"
#include "path/fragmenter.h"

namespace ike {
namespace {

constexpr int kSendWaits = 3;
constexpr std::uint8_t kDontFragment = 0x40;
/** How often the device is read before others have their turn. */
constexpr std::size_t kReads = 256;

/** Of fragments (RFC 7739 §3: not to be foretold from those before it). */
std::uint16_t newIdentification() noexcept {
  std::uint16_t value = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value);
  return static_cast<std::uint16_t>(value | 1);
}

/** Makes an outer IPv4 header one that may be cut. Not one without identification that AH covers: its
 * fragments would need one. */
void allowFragments(std::span<std::uint8_t> packet) noexcept {
  const bool numbered = (packet[4] | packet[5]) != 0;
  if (!numbered && packet[9] == kProtocolAh) return;
  if (!numbered) setWord(packet, 4, newIdentification());
  packet[6] = static_cast<std::uint8_t>(packet[6] & ~kDontFragment);
  sealIpv4Header(packet.first(static_cast<std::size_t>(packet[0] & 0x0f) * 4));
}

}  // namespace

Outcome<std::unique_ptr<OutboundWorker>> OutboundWorker::start(std::size_t index, Shared& shared,
                                                               const Tun& tun, const Sockets& sockets,
                                                               std::int64_t busyPollNs) {
  std::unique_ptr<OutboundWorker> worker(new OutboundWorker(index, shared, tun, sockets));
  const int fds[] = {tun.fd(index)};
  const LoopOptions options{
      .name = "ike-out-" + std::to_string(index), .shared = false, .busyPollNs = busyPollNs};
  if (Status status = worker->loop_.start(options, *worker, fds)) return std::move(*status);
  return worker;
}

void OutboundWorker::tick(std::int64_t nowNs) noexcept {
  if (index_ == 0) shared_.out.with([nowNs](OutboundCore& core) { core.tick(nowNs); });
  batch_.refusedBytes = SIZE_MAX;
}

void OutboundWorker::ready(std::size_t, bool broken) noexcept {
  std::size_t count = 0;
  std::size_t reads = 0;
  const auto flush = [&] {
    if (count > 0) process(std::span(packets_).first(count));
    count = 0;
  };
  for (; reads < kReads && !loop_.stopping(); reads++) {
    VnetHeader header;
    const std::span<std::uint8_t> room = slots_.inner(count);
    const std::size_t lengthBytes = tun_.read(index_, header, room);
    if (lengthBytes == 0) break;
    const std::span<std::uint8_t> packet = room.first(lengthBytes);
    if (header.segmented()) {
      flush();
      split(header, packet);
    } else if (completeChecksum(header, packet)) {
      packets_[count].place(slots_.at(count), kHeadroom, lengthBytes);
      if (++count == kBatch) flush();
    } else {
      drop(Drop::malformed);
    }
  }
  flush();
  if (reads > 0 || !broken) return;
  // Somebody removed the device: what is left of it must not keep us busy.
  loop_.forget(tun_.fd(index_));
  if (index_ == 0) shared_.mailbox->post(Event(Event::Type::tunLost));
}

void OutboundWorker::split(const VnetHeader& header, std::span<const std::uint8_t> packet) noexcept {
  std::optional<SegmentSplitter> splitter = SegmentSplitter::open(header, packet);
  if (!splitter) {
    drop(Drop::malformed);
    return;
  }
  detour_.allowAnswers(1);
  while (!splitter->done()) {
    std::size_t count = 0;
    for (; count < kBatch && !splitter->done(); count++) {
      const std::size_t lengthBytes = splitter->next(segments_.inner(count));
      segmentPackets_[count].place(segments_.at(count), kHeadroom, lengthBytes);
      segmentPackets_[count].follows = count > 0;
    }
    process(std::span(segmentPackets_).first(count));
  }
  detour_.allowAnswers(SIZE_MAX);
}

void OutboundWorker::process(std::span<Packet> packets) noexcept {
  while (!packets.empty()) {
    const std::size_t taken = processUntilCut(packets);
    if (taken == packets.size()) return;
    cut(packets[taken]);
    packets = packets.subspan(taken + 1);
  }
}

/** Into fragments, each sealed by itself. */
void OutboundWorker::cut(const Packet& packet) noexcept {
  std::optional<Fragmenter> fragmenter = Fragmenter::open(packet.bytes(), packet.fitsBytes);
  if (!fragmenter) return drop(Drop::tooBig);
  if (fragments_ == nullptr) fragments_ = std::make_unique<Slots>();
  while (!fragmenter->done()) {
    std::size_t count = 0;
    for (; count < kBatch && !fragmenter->done(); count++) {
      const std::size_t lengthBytes = fragmenter->next(fragments_->inner(count));
      fragmentPackets_[count].place(fragments_->at(count), kHeadroom, lengthBytes);
    }
    // The path has just become narrower again: the rest of the packet is of no use.
    if (processUntilCut(std::span(fragmentPackets_).first(count)) != count) return drop(Drop::tooBig);
  }
}

std::size_t OutboundWorker::processUntilCut(std::span<Packet> packets) noexcept {
  const bool captured = shared_.inner.active();
  if (captured) keepInner(packets);
  // What was held is older, and goes first.
  while (!shared_.out.with([&](OutboundCore& core) {
    if (core.hasReleased()) return false;
    packets = packets.first(core.begin(packets, work_, steadyNs()));
    return true;
  }))
    sendReleased();
  work_.encrypt();
  counters_.add(shared_.out.with([this](OutboundCore& core) { return core.finish(work_, steadyNs()); }));
  work_.await();
  if (captured) captureInner(packets);
  detour_.take(packets, steadyNs());
  send(packets);
  work_.done();
  return packets.size();
}

void OutboundWorker::keepInner(std::span<const Packet> packets) {
  inner_.resize(kBatch);
  for (std::size_t i = 0; i < packets.size(); i++)
    inner_[i].assign(packets[i].bytes().begin(), packets[i].bytes().end());
}

void OutboundWorker::captureInner(std::span<const Packet> packets) noexcept {
  for (std::size_t i = 0; i < packets.size(); i++)
    if (packets[i].drop == Drop::none) shared_.inner.packet(inner_[i]);
}

void OutboundWorker::sendReleased() noexcept {
  // Whoever finds that another one does it waits until it is done.
  const std::lock_guard lock(shared_.releasing);
  for (;;) {
    const std::size_t count =
        shared_.out.with([this](OutboundCore& core) { return core.released(releasedPackets_, steadyNs()); });
    if (count == 0) return;
    detour_.take(std::span(releasedPackets_).first(count), steadyNs());
    send(std::span(releasedPackets_).first(count));
  }
}

void OutboundWorker::send(std::span<Packet> packets) noexcept {
  std::size_t count = 0;
  const BoundSocket* bound = nullptr;
  bool bare = false;
  for (Packet& packet : packets) {
    if (packet.drop != Drop::none) continue;
    if (packet.outerBytes != 0) {
      bare = true;
      continue;
    }
    const BoundSocket* const wanted = socketFor(sockets_, true, packet.local, packet.remote.address.family());
    if (wanted == nullptr) {
      drop(Drop::send);
      continue;
    }
    if (wanted != bound && count > 0) {
      sendOn(*bound, std::span(datagrams_).first(count));
      count = 0;
    }
    bound = wanted;
    datagrams_[count++] = {.data = packet.bytes(),
                           .remote = packet.remote,
                           .local = packet.local,
                           .error = 0,
                           .segmentBytes = 0,
                           .tos = packet.tos,
                           .mayFragment = packet.mayFragment};
  }
  if (count > 0) sendOn(*bound, std::span(datagrams_).first(count));
  if (bare) sendRaw(packets);
}

/** Those of the batch that are whole IP packets. An SA's packets are all so or none. */
void OutboundWorker::sendRaw(std::span<Packet> packets) noexcept {
  std::size_t count = 0;
  const RawSocket* socket = nullptr;
  const auto flush = [&] {
    if (count > 0) sendRawOn(*socket, std::span(rawDatagrams_).first(count));
    count = 0;
  };
  for (const Packet& packet : packets) {
    if (packet.drop != Drop::none || packet.outerBytes == 0) continue;
    const RawSocket* const wanted = rawSocketFor(raw_, packet.local);
    if (wanted == nullptr) {
      drop(Drop::send);
      continue;
    }
    if (wanted != socket) flush();
    socket = wanted;
    if (packet.mayFragment) {
      flush();
      sendRawCut(*wanted, packet);
      continue;
    }
    rawDatagrams_[count++] = {.data = packet.bytes(), .error = 0};
  }
  flush();
}

void OutboundWorker::sendRawOn(const RawSocket& socket, std::span<RawDatagram> datagrams) noexcept {
  if (shared_.outer.active())
    for (const RawDatagram& datagram : datagrams) shared_.outer.packet(datagram.data);
  socket.send(rawBatch_, datagrams, kSendWaits);
  for (const RawDatagram& datagram : datagrams)
    if (datagram.error != 0) refused(datagram.error, destinationOf(datagram.data));
}

/** The kernel fragments nothing of raw sockets that is longer than their device allows, and no IPv6. */
void OutboundWorker::sendRawCut(const RawSocket& socket, const Packet& packet) noexcept {
  const bool v6 = packet.remote.address.isV6();
  const std::size_t mtuBytes =
      shared_.paths ? shared_.paths->to(packet.remote.address, steadyNs()) : kMinIpv4PathBytes;
  if (packet.lengthBytes > mtuBytes && !v6) allowFragments(packet.bytes());
  const std::uint32_t identification =
      static_cast<std::uint32_t>(newIdentification()) << 16 | newIdentification();
  std::optional<Fragmenter> fragmenter = Fragmenter::open(packet.bytes(), mtuBytes, identification);
  if (packet.lengthBytes <= mtuBytes || !fragmenter) {
    RawDatagram whole{.data = packet.bytes(), .error = 0};
    return sendRawOn(socket, std::span(&whole, 1));
  }
  outerFragment_.resize(mtuBytes);
  while (!fragmenter->done()) {
    const std::size_t lengthBytes = fragmenter->next(outerFragment_);
    if (lengthBytes == 0) return drop(Drop::tooBig);
    RawDatagram piece{.data = std::span(outerFragment_).first(lengthBytes), .error = 0};
    sendRawOn(socket, std::span(&piece, 1));
  }
}

void OutboundWorker::sendOn(const BoundSocket& bound, std::span<UdpDatagram> datagrams) noexcept {
  if (shared_.outer.active()) captureOuter(bound, datagrams);
  bound.socket.send(batch_, datagrams, kSendWaits);
  for (const UdpDatagram& datagram : datagrams)
    if (datagram.error != 0) refused(datagram.error, datagram.remote.address);
}

/** The way of what the kernel refused for its length is narrower than was known. */
void OutboundWorker::refused(int error, const Address& remote) noexcept {
  if (error != EMSGSIZE || !shared_.paths) return drop(Drop::send);
  shared_.paths->learn(remote, 0, steadyNs());
  drop(Drop::tooBig);
}

/** Before it is sent: the answer comes behind it. */
void OutboundWorker::captureOuter(const BoundSocket& bound, std::span<const UdpDatagram> datagrams) noexcept {
  for (const UdpDatagram& datagram : datagrams)
    shared_.outer.datagram({datagram.local, bound.socket.local().port}, datagram.remote, datagram.data,
                           datagram.tos);
}

void OutboundWorker::drop(Drop cause) noexcept {
  shared_.outside.count(cause);
  counters_.addDrops(1);
}

}  // namespace ike
