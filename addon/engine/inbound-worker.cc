// One batch at a time. The lock is held twice, shortly: while SAs are found, and when the batch's turn has
// come. With one thread it is always its turn, and what is joined reaches over batches, but never over a
// receive call, for it lies in that call's memory.
#include "engine/inbound-worker.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "net/error-queue.h"

namespace ike {
namespace {

constexpr std::size_t kMarkerBytes = 4;
constexpr std::uint8_t kKeepalive = 0xff;
/** How often one socket is read before others have their turn. */
constexpr std::size_t kReads = 16;
/** What one receive call should bring at most, so that it stays in the cache until it is written. */
constexpr std::size_t kReadBytes = 128 << 10;
constexpr std::size_t kFewMessages = 2;
constexpr std::uint8_t kFragmentHeader = 44;
/** What one receive call brings of packets without UDP, as large as they usually are. */
constexpr std::size_t kRawMessages = 32;

/** Fragments go by their addresses alone, for only the first of them has ports. */
bool isFragment(std::span<const std::uint8_t> packet) noexcept {
  if (packet[0] >> 4 == 6) return packet[6] == kFragmentHeader;
  return ((packet[6] & 0x3f) | packet[7]) != 0;
}

/** Equal for the packets of one flow. */
std::size_t laneOf(const Packet& packet) noexcept {
  const PacketInfo& info = packet.info;
  std::uint32_t hash = info.protocol;
  const auto mix = [&hash](std::uint32_t value) { hash = (hash ^ value) * 0x9e3779b1u; };
  for (std::size_t i = 0; i < info.source.length; i += 4) {
    mix(load32(info.source.bytes.data() + i));
    mix(load32(info.destination.bytes.data() + i));
  }
  if (!isFragment(packet.bytes()))
    mix(static_cast<std::uint32_t>(info.sourcePort) << 16 | info.destinationPort);
  return (hash >> 16) % kLanes;
}

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

const RawSocket* rawSocketFor(std::span<const RawSocket> sockets, const Address& local) noexcept {
  const RawSocket* other = nullptr;
  for (const RawSocket& socket : sockets) {
    if (socket.local() == local) return &socket;
    if (socket.local().family() == local.family()) other = &socket;
  }
  return other;
}

Outcome<std::unique_ptr<InboundWorker>> InboundWorker::start(std::size_t index, Shared& shared,
                                                             const Tun* tun, const Sockets& sockets,
                                                             bool offloads, std::int64_t busyPollNs) {
  std::unique_ptr<InboundWorker> worker(new InboundWorker(index, shared, tun, sockets, offloads));
  std::vector<int> fds;
  for (const BoundSocket& bound : sockets.udp) fds.push_back(bound.socket.fd());
  for (const RawSocket& raw : sockets.raw) fds.push_back(raw.fd());
  const LoopOptions options{
      .name = "ike-in-" + std::to_string(index), .shared = !worker->alone_, .busyPollNs = busyPollNs};
  if (Status status = worker->loop_.start(options, *worker, fds)) return std::move(*status);
  return worker;
}

void InboundWorker::tick(std::int64_t nowNs) noexcept {
  if (index_ == 0) shared_.in.with([nowNs](InboundCore& core) { core.tick(nowNs); });
}

void InboundWorker::ready(std::size_t index, bool broken) noexcept {
  if (index < sockets_.size())
    readUdp(sockets_[index], broken);
  else
    readRaw(raw_[index - sockets_.size()], broken);
}

void InboundWorker::readUdp(const BoundSocket& bound, bool broken) noexcept {
  // Else the socket would keep us busy.
  if (broken && shared_.paths) learnFromErrors(bound.socket.fd(), *shared_.paths, steadyNs());
  // A batch a read where there are others: only its first batch is worked on beside theirs.
  const std::size_t fewest = alone_ ? kFewMessages : 1;
  for (std::size_t reads = 0; reads < kReads && !loop_.stopping(); reads++) {
    const std::size_t asked = wanted_;
    for (std::size_t i = 0; i < asked; i++) messages_[i].data = slots_.at(i);
    const std::size_t received =
        receive([&] { return bound.socket.receive(batch_, std::span(messages_).first(asked)); });
    if (received == 0) return;
    if (shared_.outer.active()) captureOuter(bound, std::span(messages_).first(received));
    std::size_t totalBytes = 0;
    std::size_t datagrams = 0;
    for (const UdpDatagram& message : std::span(messages_).first(received)) {
      totalBytes += message.data.size();
      datagrams += message.data.size() / std::max<std::size_t>(message.segmentBytes, 1);
      takeApart(bound, message);
    }
    process(Rest::none);
    write();
    std::size_t wanted = kReadBytes * received / std::max<std::size_t>(totalBytes, 1);
    if (!alone_) wanted = std::min(wanted, kBatch * received / std::max<std::size_t>(datagrams, 1));
    wanted_ = std::clamp(wanted, fewest, kBatch);
    if (received < asked) return;
  }
}

/** What was received has its place among the reads of all threads. */
template <typename Read>
std::size_t InboundWorker::receive(Read&& read) noexcept {
  // All that lay there was written.
  spare_.clear();
  if (alone_) return read();
  const std::lock_guard lock(shared_.reception.reading);
  const std::size_t received = read();
  if (received > 0) place_ = shared_.reception.reads.take();
  return received;
}

void InboundWorker::awaitTurn() noexcept {
  if (alone_ || turn_) return;
  shared_.reception.reads.await(place_);
  turn_ = true;
}

void InboundWorker::passTurn() noexcept {
  if (alone_) return;
  shared_.reception.reads.pass(place_);
  turn_ = false;
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
      drop(Drop::keepalive);
    } else if (bound.natt && !marked) {
      // Before it is placed: what is full and last is left for the caller, who knows that it is the last.
      if (count_ == kBatch) process(Rest::more);
      Packet& packet = packets_[count_++];
      packet.place(data, 0, data.size());
      packet.remote = message.remote;
      packet.local = message.local;
      packet.tos = message.tos;
      packet.outerBytes = 0;
      packet.spare = &spare_;
    } else {
      toMailbox(bound, message, bound.natt ? data.subspan(kMarkerBytes) : data);
    }
  } while (done < message.data.size());
}

/** Packets of one protocol with their IP headers, each a batch's one. */
void InboundWorker::readRaw(const RawSocket& raw, bool broken) noexcept {
  if (broken && shared_.paths) learnFromErrors(raw.fd(), *shared_.paths, steadyNs());
  for (std::size_t reads = 0; reads < kReads && !loop_.stopping(); reads++) {
    for (std::size_t i = 0; i < kRawMessages; i++) rawMessages_[i].data = slots_.at(i);
    const std::size_t received =
        receive([&] { return raw.receive(rawBatch_, std::span(rawMessages_).first(kRawMessages)); });
    if (received == 0) return;
    const bool captured = shared_.outer.active();
    for (const RawDatagram& datagram : std::span(rawMessages_).first(received)) {
      if (captured && datagram.error == 0) shared_.outer.packet(datagram.data);
      takeRaw(datagram, raw.protocol());
    }
    process(Rest::none);
    write();
    if (received < kRawMessages) return;
  }
}

void InboundWorker::takeRaw(const RawDatagram& datagram, int protocol) noexcept {
  const std::optional<IpsecPlace> found =
      datagram.error == 0 ? findIpsec(datagram.data) : std::optional<IpsecPlace>();
  if (!found || found->protocol != protocol) return drop(Drop::malformed);
  Packet& packet = packets_[count_++];
  packet.place(datagram.data, found->outerBytes, found->lengthBytes - found->outerBytes);
  packet.remote = {found->source, 0};
  packet.local = found->destination;
  packet.tos = found->tos;
  packet.ah = found->protocol == kProtocolAh;
  packet.outerBytes = found->outerBytes;
  packet.spare = nullptr;
}

void InboundWorker::toMailbox(const BoundSocket& bound, const UdpDatagram& message,
                              std::span<const std::uint8_t> data) noexcept {
  awaitTurn();
  IkeDatagram ike{.local = {message.local, bound.socket.local().port},
                  .remote = message.remote,
                  .natt = bound.natt,
                  .data = {data.begin(), data.end()}};
  if (!shared_.mailbox->post(std::move(ike))) drop(Drop::ikeOverflow);
}

void InboundWorker::woken() noexcept {
  if (!alone_) {
    const std::lock_guard lock(shared_.reception.reading);
    place_ = shared_.reception.reads.take();
  }
  awaitTurn();
  openReleased();
  passTurn();
}

void InboundWorker::process(Rest rest) noexcept {
  const std::span<Packet> packets = std::span(packets_).first(count_);
  count_ = 0;
  if (!packets.empty()) {
    shared_.in.with([&](InboundCore& core) { core.begin(packets, work_); });
    work_.decrypt();
  }
  awaitTurn();
  if (!packets.empty()) {
    Tally tally;
    // What came early is older, and goes first.
    while (!shared_.in.with([&](InboundCore& core) {
      if (core.hasReleased()) return false;
      tally = core.finish(work_, steadyNs());
      return true;
    }))
      openReleased();
    while (work_.unfinished()) {
      work_.decrypt();
      tally = tally + shared_.in.with([&](InboundCore& core) { return core.finish(work_, steadyNs()); });
    }
    counters_.add(tally);
    work_.done();
  }
  deliver(packets, rest);
}

void InboundWorker::openReleased() noexcept {
  for (;;) {
    const std::size_t count =
        shared_.in.with([this](InboundCore& core) { return core.released(releasedPackets_, steadyNs()); });
    if (count == 0) return;
    deliver(std::span(releasedPackets_).first(count), Rest::more);
    // Their memory is gone with the next call.
    write();
  }
}

/** In turn; without a rest the turn goes to the next read. */
void InboundWorker::deliver(std::span<const Packet> packets, Rest rest) noexcept {
  if (shared_.inner.active()) captureInner(packets);
  if (!alone_) return deliverByFlow(packets, rest);
  for (const Packet& packet : packets)
    if (packet.drop == Drop::none) join(packet);
}

void InboundWorker::deliverByFlow(std::span<const Packet> packets, Rest rest) noexcept {
  constexpr std::uint8_t kEnd = 0xff;
  static_assert(kBatch < kEnd && kLanes <= kEnd);
  struct Flow {
    std::uint8_t lane;
    std::uint8_t first;
    std::uint8_t last;
    std::uint32_t place;
  };
  std::array<Flow, kBatch> flows;
  std::array<std::uint8_t, kBatch> next;
  std::array<std::uint8_t, kLanes> flowOf;
  flowOf.fill(kEnd);
  std::size_t flowCount = 0;
  for (std::size_t i = 0; i < packets.size(); i++) {
    if (packets[i].drop != Drop::none) continue;
    const auto index = static_cast<std::uint8_t>(i);
    const std::size_t lane = laneOf(packets[i]);
    next[i] = kEnd;
    if (flowOf[lane] == kEnd) {
      flowOf[lane] = static_cast<std::uint8_t>(flowCount);
      flows[flowCount++] = {static_cast<std::uint8_t>(lane), index, index,
                            shared_.reception.flows[lane].take()};
    } else {
      Flow& flow = flows[flowOf[lane]];
      next[flow.last] = index;
      flow.last = index;
    }
  }
  if (rest == Rest::none) passTurn();
  for (const Flow& flow : std::span(flows).first(flowCount)) {
    Lane& lane = shared_.reception.flows[flow.lane];
    lane.await(flow.place);
    for (std::uint8_t i = flow.first; i != kEnd; i = next[i]) join(packets[i]);
    write();
    lane.pass(flow.place);
  }
}

/** ESP only. */
void InboundWorker::captureOuter(const BoundSocket& bound, std::span<const UdpDatagram> messages) noexcept {
  if (!bound.natt) return;
  for (const UdpDatagram& message : messages)
    for (std::size_t done = 0; done < message.data.size(); done += message.segmentBytes) {
      const auto data =
          message.data.subspan(done, std::min(message.segmentBytes, message.data.size() - done));
      if (data.size() >= kEspHeaderBytes && load32(data.data()) != 0)
        shared_.outer.datagram(message.remote, {message.local, bound.socket.local().port}, data, message.tos);
    }
}

void InboundWorker::captureInner(std::span<const Packet> packets) noexcept {
  for (const Packet& packet : packets)
    if (packet.drop == Drop::none) shared_.inner.packet(packet.bytes());
}

void InboundWorker::join(const Packet& packet) noexcept {
  if (joiner_.add(packet.bytes())) return;
  write();
  joiner_.add(packet.bytes());
}

void InboundWorker::write() noexcept {
  const std::size_t count = joiner_.count();
  const std::span<const iovec> pieces = joiner_.take();
  if (count == 0 || (tun_ != nullptr && tun_->write(pieces))) return;
  for (std::size_t i = 0; i < count; i++) drop(Drop::tunWrite);
}

void InboundWorker::drop(Drop cause) noexcept {
  shared_.outside.count(cause);
  counters_.addDrops(1);
}

}  // namespace ike
