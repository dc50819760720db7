// One batch at a time. The lock is held twice, shortly: while SAs are found and numbers taken, and for
// counting.
#include "engine/outbound-worker.h"

namespace ike {
namespace {

constexpr int kSendWaits = 3;
/** How often the device is read before others have their turn. */
constexpr std::size_t kReads = 256;

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
  while (!splitter->done()) {
    std::size_t count = 0;
    for (; count < kBatch && !splitter->done(); count++) {
      const std::size_t lengthBytes = splitter->next(segments_.inner(count));
      segmentPackets_[count].place(segments_.at(count), kHeadroom, lengthBytes);
      segmentPackets_[count].follows = count > 0;
    }
    process(std::span(segmentPackets_).first(count));
  }
}

void OutboundWorker::process(std::span<Packet> packets) noexcept {
  // What was held is older, and goes first.
  while (!shared_.out.with([&](OutboundCore& core) {
    if (core.hasReleased()) return false;
    core.begin(packets, work_, steadyNs());
    return true;
  }))
    sendReleased();
  work_.encrypt();
  counters_.add(shared_.out.with([this](OutboundCore& core) { return core.finish(work_, steadyNs()); }));
  work_.await();
  send(packets);
  work_.done();
}

void OutboundWorker::sendReleased() noexcept {
  // Whoever finds that another one does it waits until it is done.
  const std::lock_guard lock(shared_.releasing);
  for (;;) {
    const std::size_t count =
        shared_.out.with([this](OutboundCore& core) { return core.released(releasedPackets_, steadyNs()); });
    if (count == 0) return;
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
                           .tos = packet.tos};
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
    rawDatagrams_[count++] = {.data = packet.bytes(), .error = 0};
  }
  flush();
}

void OutboundWorker::sendRawOn(const RawSocket& socket, std::span<RawDatagram> datagrams) noexcept {
  socket.send(rawBatch_, datagrams, kSendWaits);
  for (const RawDatagram& datagram : datagrams)
    if (datagram.error != 0) drop(Drop::send);
}

void OutboundWorker::sendOn(const BoundSocket& bound, std::span<UdpDatagram> datagrams) noexcept {
  bound.socket.send(batch_, datagrams, kSendWaits);
  for (const UdpDatagram& datagram : datagrams)
    if (datagram.error != 0) drop(Drop::send);
}

void OutboundWorker::drop(Drop cause) noexcept {
  shared_.outside.count(cause);
  counters_.addDrops(1);
}

}  // namespace ike
