// One batch at a time; the lock is held only while it goes through the core. What is joined reaches over
// batches, but never over a receive call, for it lies in that call's memory.
#include "engine/inbound-worker.h"

#include <algorithm>
#include <vector>

namespace ike {
namespace {

constexpr std::size_t kMarkerBytes = 4;
constexpr std::uint8_t kKeepalive = 0xff;
/** How often one socket is read before others have their turn. */
constexpr std::size_t kReads = 16;
/** What one receive call should bring at most, so that it stays in the cache until it is written. */
constexpr std::size_t kReadBytes = 128 << 10;
constexpr std::size_t kFewMessages = 2;

}  // namespace

const BoundSocket* socketFor(std::span<const BoundSocket> sockets, bool natt, const Address& local,
                             int family) noexcept {
  const BoundSocket* wildcard = nullptr;
  for (const BoundSocket& bound : sockets) {
    const Address& address = bound.socket.local().address;
    if (bound.natt != natt || address.family() != family) continue;
    if (address == local) return &bound;
    if (address.unspecified() || local.unspecified()) wildcard = &bound;
  }
  return wildcard;
}

Outcome<std::unique_ptr<InboundWorker>> InboundWorker::start(Shared& shared, const Tun* tun,
                                                             std::span<const BoundSocket> sockets,
                                                             bool offloads) {
  std::unique_ptr<InboundWorker> worker(new InboundWorker(shared, tun, sockets, offloads));
  std::vector<int> fds;
  for (const BoundSocket& bound : sockets) fds.push_back(bound.socket.fd());
  if (Status status = worker->loop_.start("ike-in", *worker, fds)) return std::move(*status);
  return worker;
}

void InboundWorker::tick(std::int64_t nowNs) noexcept {
  shared_.in.with([nowNs](InboundCore& core) { core.tick(nowNs); });
}

void InboundWorker::ready(std::size_t index, bool) noexcept {
  const BoundSocket& bound = sockets_[index];
  for (std::size_t reads = 0; reads < kReads && !loop_.stopping(); reads++) {
    const std::size_t asked = wanted_;
    for (std::size_t i = 0; i < asked; i++) messages_[i].data = slots_.at(i);
    const std::size_t received = bound.socket.receive(batch_, std::span(messages_).first(asked));
    std::size_t totalBytes = 0;
    for (const UdpDatagram& message : std::span(messages_).first(received)) {
      totalBytes += message.data.size();
      takeApart(bound, message);
    }
    process();
    write();
    if (received == 0) return;
    wanted_ = std::clamp(kReadBytes * received / std::max<std::size_t>(totalBytes, 1), kFewMessages, kBatch);
    if (received < asked) return;
  }
}

void InboundWorker::takeApart(const BoundSocket& bound, const UdpDatagram& message) noexcept {
  std::size_t done = 0;
  // At least once: an empty datagram is one too.
  do {
    const std::size_t lengthBytes = std::min(message.segmentBytes, message.data.size() - done);
    const std::span<std::uint8_t> data = message.data.subspan(done, lengthBytes);
    done += lengthBytes;
    const bool marked = data.size() >= kMarkerBytes && load32(data.data()) == 0;
    if (bound.natt && data.size() == 1 && data[0] == kKeepalive) {
      shared_.outside.count(Drop::keepalive);
    } else if (bound.natt && !marked) {
      packets_[count_].place(data, 0, data.size());
      packets_[count_].remote = message.remote;
      if (++count_ == kBatch) process();
    } else {
      toMailbox(bound, message, bound.natt ? data.subspan(kMarkerBytes) : data);
    }
  } while (done < message.data.size());
}

void InboundWorker::toMailbox(const BoundSocket& bound, const UdpDatagram& message,
                              std::span<const std::uint8_t> data) noexcept {
  IkeDatagram ike{.local = {message.local, bound.socket.local().port},
                  .remote = message.remote,
                  .natt = bound.natt,
                  .data = {data.begin(), data.end()}};
  if (!shared_.mailbox->post(std::move(ike))) shared_.outside.count(Drop::ikeOverflow);
}

void InboundWorker::woken() noexcept {
  openReleased();
  write();
}

void InboundWorker::process() noexcept {
  if (count_ == 0) return;
  const std::span<Packet> packets = std::span(packets_).first(count_);
  count_ = 0;
  // What came early is older, and goes first.
  while (!shared_.in.with([&](InboundCore& core) {
    if (core.hasReleased()) return false;
    core.inbound(packets, steadyNs());
    return true;
  }))
    openReleased();
  deliver(packets);
}

void InboundWorker::openReleased() noexcept {
  for (;;) {
    const std::size_t count =
        shared_.in.with([this](InboundCore& core) { return core.released(releasedPackets_, steadyNs()); });
    if (count == 0) return;
    deliver(std::span(releasedPackets_).first(count));
    // Their memory is gone with the next call.
    write();
  }
}

void InboundWorker::deliver(std::span<const Packet> packets) noexcept {
  for (const Packet& packet : packets) {
    if (packet.drop != Drop::none) continue;
    if (joiner_.add(packet.bytes())) continue;
    write();
    joiner_.add(packet.bytes());
  }
}

void InboundWorker::write() noexcept {
  const std::size_t count = joiner_.count();
  const std::span<const iovec> pieces = joiner_.take();
  if (count == 0 || (tun_ != nullptr && tun_->write(pieces))) return;
  for (std::size_t i = 0; i < count; i++) shared_.outside.count(Drop::tunWrite);
}

}  // namespace ike
