// Opening and closing in order, and the commands of JavaScript.
#include "engine/engine.h"

#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <unordered_set>

namespace ike {
namespace {

/** Other ports are tried when a free one that the system chose is taken on another of our addresses. */
constexpr int kPortTries = 16;

/** Engines that are open, for exits without destructors. Never destroyed: exit handlers run in no order that
 * we know. */
struct Registry {
  std::mutex mutex;
  std::unordered_set<Engine*> engines;
};

/** What the kernel dropped because the workers did not come to read it. */
std::uint64_t overflowsOf(int fd) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> values{};
  socklen_t length = sizeof values;
  return ::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values.data(), &length) == 0 ? values[SK_MEMINFO_DROPS] : 0;
}

Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

}  // namespace

void closeAllEngines() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (Engine* const engine : all.engines) {
    engine->closeTunnel();
    engine->closeSockets();
  }
}

Outcome<std::unique_ptr<Engine>> Engine::open(const EngineConfig& config, std::shared_ptr<Mailbox> mailbox) {
  std::unique_ptr<Engine> engine(new Engine(config, std::move(mailbox)));
  // The device first: its name is what tells two gateways on a host apart, and the rules may only be ours
  // after it.
  if (Status status = engine->openTunnel(config)) return std::move(*status);
  if (Status status = engine->openSockets(config)) return std::move(*status);
  if (Status status = engine->startWorkers()) return std::move(*status);
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.engines.insert(engine.get());
  return engine;
}

Engine::~Engine() {
  {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.engines.erase(this);
  }
  closeTunnel();
  closeSockets();
}

Status Engine::openTunnel(const EngineConfig& config) {
  Outcome<Tun> tun = Tun::open(config.tunName, config.mtuBytes, offloads_, workers_);
  if (!tun.ok()) return std::move(tun.failure());
  tun_.emplace(std::move(tun.value()));
  openBypass();
  if (!config.installRoutes) return std::nullopt;
  Outcome<RouteTable> routes = RouteTable::open(config.rule, tun_->interfaceIndex());
  if (!routes.ok()) return std::move(routes.failure());
  routes_.emplace(std::move(routes.value()));
  return std::nullopt;
}

void Engine::usePaths(const EngineConfig& config) {
  PathMtu& paths = shared_.paths.emplace(config.rule.mark);
  shared_.out.with([&](OutboundCore& core) {
    core.usePaths(paths, config.clampMss);
    core.watch(shared_.inner);
  });
  if (config.clampMss) shared_.in.with([&](InboundCore& core) { core.clampMssBy(paths); });
}

/** For packets of bypass policies, if the process may. A host may have one family only. */
void Engine::openBypass() {
  bool opened[2] = {false, false};
  for (const int family : {AF_INET, AF_INET6}) {
    Outcome<RawSocket> socket = RawSocket::openForBypass(family, mark_);
    if (socket.ok()) {
      opened[family == AF_INET6] = true;
      shared_.bypass.push_back(std::move(socket.value()));
    } else if (family == AF_INET || std::string_view(socket.failure().code) == "ERR_IKE_PRIVILEGE") {
      bypassRefusal_ = std::move(socket.failure().message);
    }
  }
  shared_.out.with([&](OutboundCore& core) { core.allowBypass(opened[0], opened[1]); });
}

Status Engine::openSockets(const EngineConfig& config) {
  if (Status status = openPort(config.addresses, config.port, false, port_)) return status;
  if (Status status = openPort(config.addresses, config.nattPort, true, nattPort_)) return status;
  return openRawSockets();
}

/** Where UDP is heard there is ESP and AH by itself too, if the process may. */
Status Engine::openRawSockets() {
  for (const BoundSocket& bound : sockets_) {
    if (!bound.natt) continue;
    for (const std::uint8_t protocol : {kProtocolEsp, kProtocolAh}) {
      Outcome<RawSocket> socket = RawSocket::open(bound.socket.local().address, protocol, mark_);
      if (socket.ok()) {
        raw_.push_back(std::move(socket.value()));
        continue;
      }
      if (std::string_view(socket.failure().code) != "ERR_IKE_PRIVILEGE") return std::move(socket.failure());
      udpOnly_ = std::move(socket.failure().message);
      raw_.clear();
      return std::nullopt;
    }
  }
  return std::nullopt;
}

void Engine::closeRawSockets() noexcept {
  for (const RawSocket& socket : raw_) overflows_ += overflowsOf(socket.fd());
  raw_.clear();
}

Status Engine::openPort(std::span<const Address> addresses, std::uint16_t wanted, bool natt,
                        std::uint16_t& bound) {
  Status last;
  for (int attempt = 0; attempt < (wanted == 0 ? kPortTries : 1); attempt++) {
    std::vector<BoundSocket> opened;
    std::vector<std::string> skipped;
    std::uint16_t port = wanted;
    last.reset();
    for (const Address& address : addresses) {
      Outcome<UdpSocket> socket = UdpSocket::open({address, port}, mark_, natt && offloads_, natt);
      if (socket.ok()) {
        port = socket.value().local().port;
        opened.push_back({std::move(socket.value()), natt});
        continue;
      }
      // A host without IPv6 (or IPv4) still has the other wildcard.
      if (address.unspecified() && std::string_view(socket.failure().code) == "ERR_IKE_NO_ADDRESS") {
        skipped.push_back(socket.failure().message);
        continue;
      }
      last = std::move(socket.failure());
      break;
    }
    if (!last && opened.empty())
      last = Failure{"ERR_IKE_NO_ADDRESS", skipped.empty() ? "no address to listen on" : skipped.front()};
    if (last) {
      if (std::string_view(last->code) == "ERR_IKE_PORT_IN_USE") continue;
      return last;
    }
    bound = port;
    for (BoundSocket& socket : opened) sockets_.push_back(std::move(socket));
    if (natt) warnings_ = std::move(skipped);
    return std::nullopt;
  }
  return last;
}

Status Engine::startWorkers() {
  const Sockets sockets{sockets_, raw_};
  for (std::size_t i = 0; tun_ && i < workers_; i++) {
    auto worker = OutboundWorker::start(i, shared_, *tun_, sockets, busyPollNs_);
    if (!worker.ok()) return std::move(worker.failure());
    out_.push_back(std::move(worker.value()));
  }
  for (std::size_t i = 0; !sockets_.empty() && i < workers_; i++) {
    auto worker = InboundWorker::start(i, shared_, tun_ ? &*tun_ : nullptr, sockets, offloads_, busyPollNs_);
    if (!worker.ok()) return std::move(worker.failure());
    in_.push_back(std::move(worker.value()));
  }
  return std::nullopt;
}

void Engine::stopWorkers() noexcept {
  out_.clear();
  in_.clear();
}

void Engine::closeTunnel() {
  if (!tun_) return;
  stopWorkers();
  shared_.out.with([](OutboundCore& core) { core.clear(); });
  shared_.in.with([](InboundCore& core) { core.clear(); });
  routes_.reset();
  tun_.reset();
  shared_.bypass.clear();
  shared_.inner.close();
  shared_.outer.close();
  // Nobody is left for what has no UDP around it.
  closeRawSockets();
  // Without a thread IKE is deaf, which is what the caller would see of a peer that is gone.
  if (socketsOpen()) startWorkers();
}

void Engine::closeSockets() {
  if (sockets_.empty()) return;
  stopWorkers();
  overflows_ += socketOverflows();
  sockets_.clear();
  raw_.clear();
  if (tunnelOpen()) startWorkers();
}

void Engine::sendIke(const IkeDatagram& datagram) {
  const BoundSocket* const bound =
      socketFor(sockets_, datagram.natt, datagram.local.address, datagram.remote.address.family());
  if (bound == nullptr) {
    shared_.outside.count(Drop::ikeSend);
    return;
  }
  const bool keepalive = datagram.data.size() == 1 && datagram.data[0] == 0xff;
  std::vector<std::uint8_t> bytes(datagram.natt && !keepalive ? 4 : 0, 0);
  bytes.insert(bytes.end(), datagram.data.begin(), datagram.data.end());
  UdpDatagram outgoing{
      .data = bytes, .remote = datagram.remote, .local = datagram.local.address, .mayFragment = true};
  bound->socket.send(sendBatch_, std::span(&outgoing, 1), 0);
  if (outgoing.error != 0) shared_.outside.count(Drop::ikeSend);
}

Outcome<Address> Engine::localAddressFor(const Endpoint& remote) const {
  Outcome<Address> source = sourceAddressFor(remote, mark_);
  if (!source.ok()) return source;
  const BoundSocket* const bound = socketFor(sockets_, true, source.value(), remote.address.family());
  if (bound != nullptr) return source;
  // Not one that we listen on: the first of the family must do.
  for (const BoundSocket& other : sockets_)
    if (other.socket.local().address.family() == remote.address.family()) return other.socket.local().address;
  return Failure{"ERR_IKE_NO_ROUTE", "the gateway listens on no address that could reach " + remote.text()};
}

Status Engine::startCapture(Side side, const std::string& path, const Capture::Limits& limits) {
  return (side == Side::inner ? shared_.inner : shared_.outer).open(path, limits);
}

Capture::Counts Engine::stopCapture(Side side) noexcept {
  return (side == Side::inner ? shared_.inner : shared_.outer).close();
}

Outcome<std::uint32_t> Engine::allocateSpi() {
  return shared_.in.with([](InboundCore& core) { return core.allocateSpi(); });
}

void Engine::releaseSpi(std::uint32_t spi) {
  shared_.in.with([spi](InboundCore& core) { core.releaseSpi(spi); });
}

Status Engine::addSa(SaSpec spec) {
  const std::uint32_t id = spec.id;
  const std::uint32_t spi = spec.spi;
  // Nobody but this thread adds and removes, so what was asked stays true between the locks.
  if (shared_.out.with([id](OutboundCore& core) { return core.hasSa(id); }) ||
      shared_.in.with([id](InboundCore& core) { return core.hasSa(id); }))
    return Failure{"ERR_IKE_EXISTS", "there is an SA with id " + std::to_string(id) + " already"};
  if (!spec.udpEncapsulation && raw_.empty())
    return Failure{"ERR_IKE_UNSUPPORTED",
                   "the engine carries ESP in UDP only" + (udpOnly_.empty() ? "" : ": " + udpOnly_)};
  if (spec.inbound && shared_.in.with([spi](InboundCore& core) { return core.hasSpi(spi); }))
    return Failure{"ERR_IKE_EXISTS", "there is an inbound SA with this SPI already"};
  // Key schedules take their time, and packets need not wait for it.
  std::unique_ptr<Suite> suite = createSuite(spec);
  if (suite == nullptr)
    return Failure{"ERR_IKE_ALGORITHM", "the engine has no such algorithms, or a key has the wrong length"};
  // Their schedules are in the suite now.
  spec.keys.encryptionKey = Secret();
  spec.keys.integrityKey = Secret();
  const auto add = [&](auto& core) { return core.addSa(std::move(spec), std::move(suite)); };
  const bool inbound = spec.inbound;
  if (Status status = inbound ? shared_.in.with(add) : shared_.out.with(add)) return status;
  if (inbound) {
    if (!in_.empty() && shared_.in.with([](InboundCore& core) { return core.hasReleased(); }))
      in_.front()->wake();
  } else {
    if (!out_.empty() && shared_.out.with([](OutboundCore& core) { return core.hasReleased(); }))
      out_.front()->wake();
  }
  return std::nullopt;
}

void Engine::updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote) {
  const auto update = [&](auto& core) { core.updateSa(id, local, remote); };
  shared_.out.with(update);
  shared_.in.with(update);
}

void Engine::deleteSa(std::uint32_t id) {
  const auto remove = [id](auto& core) { core.deleteSa(id); };
  shared_.out.with(remove);
  shared_.in.with(remove);
}

std::optional<SaReport> Engine::querySa(std::uint32_t id) {
  const auto query = [id](auto& core) { return core.querySa(id); };
  std::optional<SaReport> report = shared_.out.with(query);
  return report ? report : shared_.in.with(query);
}

Status Engine::addPolicy(std::unique_ptr<Policy> policy) {
  const std::uint32_t id = policy->id;
  const bool bypass = policy->kind == Policy::Kind::bypass;
  const std::vector<Selector> localTs = policy->localTs;
  const std::vector<Selector> remoteTs = policy->remoteTs;
  if (Status status = shared_.out.with([&](OutboundCore& core) { return core.addPolicy(std::move(policy)); }))
    return status;
  // The policy stands before traffic is led to it. What is to pass by the tunnel only comes here where
  // another policy's route leads it; what is to be discarded comes here to end.
  if (!routes_ || bypass) return std::nullopt;
  Status status = routes_->add(id, localTs, remoteTs);
  if (status) shared_.out.with([id](OutboundCore& core) { core.deletePolicy(id); });
  return status;
}

void Engine::deletePolicy(std::uint32_t id) {
  if (routes_) routes_->remove(id);
  shared_.out.with([id](OutboundCore& core) { core.deletePolicy(id); });
}

Status Engine::addAddress(const Address& address) {
  if (!tun_) return Failure{"ERR_IKE_CLOSED", "the data plane is closed"};
  Outcome<Netlink> netlink = Netlink::open();
  if (!netlink.ok()) return netlink.failure();
  const int error = netlink.value().addAddress(address, tun_->interfaceIndex());
  if (error == 0 || error == EEXIST) return std::nullopt;
  return systemFailure("ERR_IKE_ADDRESS", "address " + address.text(), error);
}

void Engine::removeAddress(const Address& address) {
  Outcome<Netlink> netlink = Netlink::open();
  if (tun_ && netlink.ok()) netlink.value().deleteAddress(address, tun_->interfaceIndex());
}

Stats Engine::stats() {
  Stats stats;
  stats.out = shared_.out.with([](OutboundCore& core) { return core.stats(); });
  stats.in = shared_.in.with([](InboundCore& core) { return core.stats(); });
  for (std::size_t i = 0; i < stats.drops.size(); i++)
    stats.drops[i] = stats.in.drops[i] + stats.out.drops[i];
  shared_.outside.addTo(stats.drops);
  stats.drops[static_cast<std::size_t>(Drop::queueFull)] += overflows_ + socketOverflows();
  const auto add = [&stats](const char* name, const std::vector<WorkerCounters>& all) {
    for (std::size_t i = 0; i < all.size(); i++)
      stats.workers.push_back(
          {name + std::to_string(i), all[i].packets, all[i].bytes, all[i].batches, all[i].drops});
  };
  add("in-", shared_.inCounters);
  add("out-", shared_.outCounters);
  return stats;
}

std::uint64_t Engine::socketOverflows() const noexcept {
  std::uint64_t sum = 0;
  for (const BoundSocket& bound : sockets_) sum += overflowsOf(bound.socket.fd());
  for (const RawSocket& socket : raw_) sum += overflowsOf(socket.fd());
  return sum;
}

}  // namespace ike
