// The loop: one batch from each source that has something, the lock held only while a batch goes through the
// core.
#include "engine/worker.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

namespace ike {
namespace {

constexpr int kTickMs = 1000;
constexpr std::uint64_t kWakeKey = 0;
constexpr std::uint64_t kTunKey = 1;
constexpr std::uint64_t kFirstSocketKey = 2;
constexpr std::size_t kMarkerBytes = 4;
constexpr std::uint8_t kKeepalive = 0xff;
constexpr int kSendWaits = 3;

}  // namespace

std::int64_t steadyNs() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
             .count() |
         1;
}

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

Outcome<std::unique_ptr<Worker>> Worker::start(Shared& shared, const Tun* tun,
                                               std::span<const BoundSocket> sockets) {
  std::unique_ptr<Worker> worker(new Worker(shared, tun, sockets));
  if (Status status = worker->prepare()) return std::move(*status);
  // Signals are for the threads of Node.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(
      &worker->thread_, nullptr,
      [](void* self) -> void* {
        static_cast<Worker*>(self)->run();
        return nullptr;
      },
      worker.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return systemFailure("ERR_IKE_SYSTEM", "worker thread", error);
  worker->running_ = true;
  pthread_setname_np(worker->thread_, "ike-engine");
  return worker;
}

Worker::~Worker() {
  if (!running_) return;
  stop_.store(true);
  wake();
  pthread_join(thread_, nullptr);
}

void Worker::wake() noexcept {
  // Fails only when the counter is full, and then the thread wakes anyway.
  [[maybe_unused]] const int ignored = ::eventfd_write(wake_.get(), 1);
}

Status Worker::prepare() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!epoll_ || !wake_) return systemFailure("ERR_IKE_SYSTEM", "epoll", errno);
  const auto watch = [this](int fd, std::uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  };
  bool watched = watch(wake_.get(), kWakeKey);
  if (tun_ != nullptr) watched = watched && watch(tun_->fd(), kTunKey);
  for (std::size_t i = 0; i < sockets_.size(); i++)
    watched = watched && watch(sockets_[i].socket.fd(), kFirstSocketKey + i);
  if (!watched) return systemFailure("ERR_IKE_SYSTEM", "epoll", errno);
  return std::nullopt;
}

void Worker::run() noexcept {
  std::array<epoll_event, 16> ready;
  std::int64_t lastTickNs = steadyNs();
  while (!stop_.load()) {
    const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), kTickMs);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count && !stop_.load(); i++) {
      const epoll_event& event = ready[static_cast<std::size_t>(i)];
      if (event.data.u64 == kWakeKey) {
        eventfd_t value;
        [[maybe_unused]] const int ignored = ::eventfd_read(wake_.get(), &value);
        sendReleased();
      } else if (event.data.u64 == kTunKey) {
        fromTun((event.events & (EPOLLERR | EPOLLHUP)) != 0);
      } else {
        fromSocket(sockets_[event.data.u64 - kFirstSocketKey]);
      }
    }
    const std::int64_t nowNs = steadyNs();
    if (nowNs - lastTickNs < std::int64_t{kTickMs} * 1'000'000) continue;
    lastTickNs = nowNs;
    const std::lock_guard lock(shared_.mutex);
    shared_.core.tick(nowNs);
  }
}

void Worker::fromTun(bool broken) noexcept {
  std::size_t count = 0;
  while (count < kBatch) {
    const std::size_t lengthBytes = tun_->read(slots_.inner(count));
    if (lengthBytes == 0) break;
    packets_[count] = Packet(slots_.at(count), kHeadroom, lengthBytes);
    count++;
  }
  if (count == 0) {
    if (!broken) return;
    // Somebody removed the device: what is left of it must not keep us busy.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, tun_->fd(), nullptr);
    shared_.mailbox->post(Event(Event::Type::tunLost));
    return;
  }
  const std::span<Packet> packets = std::span(packets_).first(count);
  bool waiting = false;
  {
    const std::lock_guard lock(shared_.mutex);
    waiting = shared_.core.hasReleased();
    if (!waiting) shared_.core.outbound(packets, steadyNs());
  }
  if (waiting) {
    // What was held is older, but its slots are taken: these packets are set aside for it.
    std::vector<std::vector<std::uint8_t>> aside;
    aside.reserve(count);
    for (const Packet& packet : packets) aside.emplace_back(packet.bytes().begin(), packet.bytes().end());
    sendReleased();
    for (std::size_t i = 0; i < count; i++) {
      packets_[i] = Packet(slots_.at(i), kHeadroom, aside[i].size());
      std::copy(aside[i].begin(), aside[i].end(), packets_[i].bytes().begin());
    }
    const std::lock_guard lock(shared_.mutex);
    shared_.core.outbound(packets, steadyNs());
  }
  send(packets);
}

void Worker::sendReleased() noexcept {
  for (;;) {
    for (std::size_t i = 0; i < kBatch; i++) packets_[i] = Packet(slots_.at(i), kHeadroom, 0);
    std::size_t count = 0;
    {
      const std::lock_guard lock(shared_.mutex);
      count = shared_.core.released(packets_, steadyNs());
    }
    if (count == 0) return;
    send(std::span(packets_).first(count));
  }
}

void Worker::send(std::span<Packet> packets) noexcept {
  std::size_t count = 0;
  const BoundSocket* bound = nullptr;
  for (Packet& packet : packets) {
    if (packet.drop != Drop::none) continue;
    const BoundSocket* const wanted = socketFor(sockets_, true, packet.local, packet.remote.address.family());
    if (wanted == nullptr) {
      shared_.outside.count(Drop::send);
      continue;
    }
    if (wanted != bound && count > 0) {
      sendOn(*bound, std::span(datagrams_).first(count));
      count = 0;
    }
    bound = wanted;
    datagrams_[count++] = {
        .data = packet.bytes(), .remote = packet.remote, .local = packet.local, .error = 0};
  }
  if (count > 0) sendOn(*bound, std::span(datagrams_).first(count));
}

void Worker::sendOn(const BoundSocket& bound, std::span<UdpDatagram> datagrams) noexcept {
  bound.socket.send(batch_, datagrams, kSendWaits);
  for (const UdpDatagram& datagram : datagrams)
    if (datagram.error != 0) shared_.outside.count(Drop::send);
}

void Worker::fromSocket(const BoundSocket& bound) noexcept {
  for (std::size_t i = 0; i < kBatch; i++) datagrams_[i].data = slots_.at(i);
  const std::size_t received = bound.socket.receive(batch_, datagrams_);
  std::size_t count = 0;
  for (std::size_t i = 0; i < received; i++) {
    const UdpDatagram& datagram = datagrams_[i];
    const std::span<std::uint8_t> data = datagram.data;
    const bool marked = data.size() >= kMarkerBytes && load32(data.data()) == 0;
    if (bound.natt && data.size() == 1 && data[0] == kKeepalive) {
      shared_.outside.count(Drop::keepalive);
    } else if (bound.natt && !marked) {
      Packet& packet = packets_[count++];
      packet = Packet(slots_.at(i), 0, data.size());
      packet.remote = datagram.remote;
    } else {
      const std::span<std::uint8_t> message = bound.natt ? data.subspan(kMarkerBytes) : data;
      IkeDatagram ike{.local = {datagram.local, bound.socket.local().port},
                      .remote = datagram.remote,
                      .natt = bound.natt,
                      .data = {message.begin(), message.end()}};
      if (!shared_.mailbox->post(std::move(ike))) shared_.outside.count(Drop::ikeOverflow);
    }
  }
  if (count == 0) return;
  const std::span<Packet> packets = std::span(packets_).first(count);
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.core.inbound(packets, steadyNs());
  }
  for (const Packet& packet : packets)
    if (packet.drop == Drop::none && (tun_ == nullptr || !tun_->write(packet.bytes())))
      shared_.outside.count(Drop::tunWrite);
}

}  // namespace ike
