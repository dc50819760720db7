// Each method: arguments read and checked, engine still open, one command, its failure thrown. The order
// matters: reading may run JavaScript (a getter) that closes the engine.
#include "napi/engine-object.h"

#include <net/if.h>

#include "napi/arguments.h"
#include "napi/values.h"

namespace ike {
namespace {

constexpr std::size_t kMaxListenAddresses = 64;
constexpr std::size_t kMaxIkeBytes = 65507;
constexpr std::size_t kMaxPathBytes = 4096;

EngineConfig readConfig(Arguments& arguments, napi_value value) {
  EngineConfig config;
  for (const napi_value address :
       arguments.list(arguments.property(value, "addresses"), "addresses", kMaxListenAddresses))
    config.addresses.push_back(arguments.address(address, "addresses"));
  config.port = arguments.port(arguments.property(value, "port"), "port");
  config.nattPort = arguments.port(arguments.property(value, "nattPort"), "nattPort");
  config.tunName = arguments.text(arguments.property(value, "tunName"), "tunName", IFNAMSIZ - 1);
  config.mtuBytes = arguments.number(arguments.property(value, "mtu"), "mtu", 1280, 65535);
  config.installRoutes = arguments.boolean(arguments.property(value, "installRoutes"), "installRoutes");
  config.rule.table = arguments.number(arguments.property(value, "table"), "table", 1);
  config.rule.priority = arguments.number(arguments.property(value, "priority"), "priority", 1);
  config.rule.mark = arguments.number(arguments.property(value, "mark"), "mark", 1);
  config.heldPackets = arguments.number(arguments.property(value, "heldPackets"), "heldPackets", 0, 10'000);
  config.offloads = arguments.boolean(arguments.property(value, "offloads"), "offloads");
  config.workers = arguments.number(arguments.property(value, "workers"), "workers", 1, kMaxWorkers);
  config.clampMss = arguments.boolean(arguments.property(value, "clampMss"), "clampMss");
  constexpr std::uint32_t kMaxBusyPollMs = 1000;
  config.busyPollNs = std::int64_t{arguments.number(arguments.property(value, "busyPollMs"), "busyPollMs", 0,
                                                    kMaxBusyPollMs)} *
                      1'000'000;
  return config;
}

Engine::Side readSide(Arguments& arguments) {
  const std::string side = arguments.text(arguments.at(0), "side", 5);
  if (!arguments.failed() && side != "inner" && side != "outer") arguments.refuse("side", "inner or outer");
  return side == "outer" ? Engine::Side::outer : Engine::Side::inner;
}

}  // namespace

Napi::Function EngineObject::define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {
                         InstanceMethod<&EngineObject::ports>("ports"),
                         InstanceMethod<&EngineObject::udpOnly>("udpOnly"),
                         InstanceMethod<&EngineObject::warnings>("warnings"),
                         InstanceMethod<&EngineObject::send>("send"),
                         InstanceMethod<&EngineObject::localAddressFor>("localAddressFor"),
                         InstanceMethod<&EngineObject::allocateSpi>("allocateSpi"),
                         InstanceMethod<&EngineObject::releaseSpi>("releaseSpi"),
                         InstanceMethod<&EngineObject::addSa>("addSa"),
                         InstanceMethod<&EngineObject::updateSa>("updateSa"),
                         InstanceMethod<&EngineObject::deleteSa>("deleteSa"),
                         InstanceMethod<&EngineObject::querySa>("querySa"),
                         InstanceMethod<&EngineObject::addPolicy>("addPolicy"),
                         InstanceMethod<&EngineObject::deletePolicy>("deletePolicy"),
                         InstanceMethod<&EngineObject::addAddress>("addAddress"),
                         InstanceMethod<&EngineObject::removeAddress>("removeAddress"),
                         InstanceMethod<&EngineObject::stats>("stats"),
                         InstanceMethod<&EngineObject::bypassRefusal>("bypassRefusal"),
                         InstanceMethod<&EngineObject::startCapture>("startCapture"),
                         InstanceMethod<&EngineObject::stopCapture>("stopCapture"),
                         InstanceMethod<&EngineObject::closeTunnel>("closeTunnel"),
                         InstanceMethod<&EngineObject::closeSockets>("closeSockets"),
                     });
}

EngineObject::EngineObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineObject>(info), env_(info.Env()) {
  Arguments arguments(info);
  const EngineConfig config = readConfig(arguments, arguments.at(0));
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env_, arguments.at(1), &type) != napi_ok || type != napi_function)
    arguments.refuse("callback", "a function");
  if (arguments.failed()) return;
  auto mailbox = std::make_shared<Mailbox>();
  std::unique_ptr<EventQueue> events = EventQueue::open(env_, arguments.at(1), mailbox);
  if (events == nullptr) {
    throwFailure(env_, {"ERR_IKE_SYSTEM", "no way to call back"});
    return;
  }
  Outcome<std::unique_ptr<Engine>> engine = Engine::open(config, mailbox);
  if (!engine.ok()) {
    throwFailure(env_, engine.failure());
    return;
  }
  engine_ = std::move(engine.value());
  events_ = std::move(events);
  // After the thread-safe function's own hook, so that this one runs before: the thread ends first.
  napi_add_env_cleanup_hook(env_, atEndOfEnvironment, this);
}

EngineObject::~EngineObject() { shutDown(); }

void EngineObject::atEndOfEnvironment(void* self) noexcept {
  auto* const object = static_cast<EngineObject*>(self);
  object->engine_.reset();
  if (object->events_ != nullptr) object->events_->abandon();
  object->events_.reset();
}

void EngineObject::shutDown() noexcept {
  if (engine_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, atEndOfEnvironment, this);
  engine_.reset();
  events_.reset();
}

Engine* EngineObject::engine(const Napi::CallbackInfo& info) {
  if (engine_ == nullptr) throwFailure(info.Env(), {"ERR_IKE_CLOSED", "the engine is closed"});
  return engine_.get();
}

Napi::Value EngineObject::ports(const Napi::CallbackInfo& info) {
  const Engine* const open = engine(info);
  if (open == nullptr) return {};
  const Values values(info.Env());
  const napi_value object = values.object();
  values.set(object, "ike", values.number(std::uint64_t{open->port()}));
  values.set(object, "natt", values.number(std::uint64_t{open->nattPort()}));
  return {info.Env(), object};
}

Napi::Value EngineObject::udpOnly(const Napi::CallbackInfo& info) {
  const Engine* const open = engine(info);
  if (open == nullptr) return {};
  const Values values(info.Env());
  return {info.Env(), open->udpOnly().empty() ? values.undefined() : values.text(open->udpOnly())};
}

Napi::Value EngineObject::warnings(const Napi::CallbackInfo& info) {
  const Engine* const open = engine(info);
  if (open == nullptr) return {};
  const Values values(info.Env());
  const napi_value array = values.array();
  for (std::size_t i = 0; i < open->warnings().size(); i++)
    values.push(array, i, values.text(open->warnings()[i]));
  return {info.Env(), array};
}

void EngineObject::send(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  IkeDatagram datagram;
  datagram.local = {arguments.address(arguments.at(0), "local"), 0};
  datagram.remote = {arguments.address(arguments.at(1), "remote"),
                     arguments.port(arguments.at(2), "remotePort")};
  datagram.natt = arguments.boolean(arguments.at(3), "natt");
  datagram.data = arguments.bytes(arguments.at(4), "data", kMaxIkeBytes);
  if (arguments.failed()) return;
  if (Engine* const open = engine(info)) open->sendIke(datagram);
}

Napi::Value EngineObject::localAddressFor(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Endpoint remote{arguments.address(arguments.at(0), "remote"),
                        arguments.port(arguments.at(1), "port")};
  if (arguments.failed()) return {};
  const Engine* const open = engine(info);
  if (open == nullptr) return {};
  Outcome<Address> local = open->localAddressFor(remote);
  if (local.ok()) return {info.Env(), Values(info.Env()).bytes(local.value().view())};
  throwFailure(info.Env(), local.failure());
  return {};
}

Napi::Value EngineObject::allocateSpi(const Napi::CallbackInfo& info) {
  Engine* const open = engine(info);
  if (open == nullptr) return {};
  Outcome<std::uint32_t> spi = open->allocateSpi();
  if (spi.ok()) return {info.Env(), Values(info.Env()).number(std::uint64_t{spi.value()})};
  throwFailure(info.Env(), spi.failure());
  return {};
}

void EngineObject::releaseSpi(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t spi = arguments.number(arguments.at(0), "spi");
  if (arguments.failed()) return;
  if (Engine* const open = engine(info)) open->releaseSpi(spi);
}

void EngineObject::addSa(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  SaSpec spec = arguments.sa(arguments.at(0));
  if (arguments.failed()) return;
  Engine* const open = engine(info);
  if (open == nullptr) return;
  if (const Status status = open->addSa(std::move(spec))) throwFailure(info.Env(), *status);
}

void EngineObject::updateSa(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t id = arguments.number(arguments.at(0), "id");
  const Endpoint local = arguments.endpoint(arguments.at(1), "local");
  const Endpoint remote = arguments.endpoint(arguments.at(2), "remote");
  if (!arguments.failed() && local.address.length != remote.address.length)
    arguments.refuse("remote", "of the same address family as local", true);
  if (arguments.failed()) return;
  if (Engine* const open = engine(info)) open->updateSa(id, local, remote);
}

void EngineObject::deleteSa(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t id = arguments.number(arguments.at(0), "id");
  if (arguments.failed()) return;
  if (Engine* const open = engine(info)) open->deleteSa(id);
}

Napi::Value EngineObject::querySa(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t id = arguments.number(arguments.at(0), "id");
  if (arguments.failed()) return {};
  Engine* const open = engine(info);
  if (open == nullptr) return {};
  const std::optional<SaReport> report = open->querySa(id);
  const Values values(info.Env());
  if (!report) return {info.Env(), values.undefined()};
  const SaCounters& counters = report->counters;
  const napi_value object = values.object();
  values.set(object, "packets", values.number(counters.packets));
  values.set(object, "bytes", values.number(counters.bytes));
  values.set(object, "sequence", values.number(report->sequence));
  values.set(object, "replayDrops", values.number(counters.replayDrops));
  values.set(object, "integrityDrops", values.number(counters.integrityDrops));
  values.set(object, "selectorDrops", values.number(counters.selectorDrops));
  // An age, because the engine's clock is not the caller's.
  const double ageMs =
      counters.lastUsedNs == 0 ? -1 : static_cast<double>(steadyNs() - counters.lastUsedNs) / 1e6;
  values.set(object, "idleMs", values.number(ageMs));
  return {info.Env(), object};
}

void EngineObject::addPolicy(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::unique_ptr<Policy> policy = arguments.policy(arguments.at(0));
  if (arguments.failed()) return;
  Engine* const open = engine(info);
  if (open == nullptr) return;
  if (const Status status = open->addPolicy(std::move(policy))) throwFailure(info.Env(), *status);
}

void EngineObject::deletePolicy(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t id = arguments.number(arguments.at(0), "id");
  if (arguments.failed()) return;
  if (Engine* const open = engine(info)) open->deletePolicy(id);
}

void EngineObject::addAddress(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Address address = arguments.address(arguments.at(0), "address");
  if (arguments.failed()) return;
  Engine* const open = engine(info);
  if (open == nullptr) return;
  if (const Status status = open->addAddress(address)) throwFailure(info.Env(), *status);
}

void EngineObject::removeAddress(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Address address = arguments.address(arguments.at(0), "address");
  if (arguments.failed()) return;
  if (Engine* const open = engine(info)) open->removeAddress(address);
}

Napi::Value EngineObject::stats(const Napi::CallbackInfo& info) {
  Engine* const open = engine(info);
  if (open == nullptr) return {};
  const Stats stats = open->stats();
  const Values values(info.Env());
  const napi_value object = values.object();
  values.set(object, "packetsIn", values.number(stats.in.packets));
  values.set(object, "packetsOut", values.number(stats.out.packets));
  values.set(object, "bytesIn", values.number(stats.in.bytes));
  values.set(object, "bytesOut", values.number(stats.out.bytes));
  values.set(object, "bypassed", values.number(stats.out.bypassed));
  const napi_value drops = values.object();
  for (std::size_t i = 1; i < kDropNames.size(); i++)
    values.set(drops, kDropNames[i], values.number(stats.drops[i]));
  values.set(object, "drops", drops);
  const napi_value workers = values.array();
  for (std::size_t i = 0; i < stats.workers.size(); i++) {
    const WorkerReport& report = stats.workers[i];
    const napi_value worker = values.object();
    values.set(worker, "name", values.text(report.name));
    values.set(worker, "packets", values.number(report.packets));
    values.set(worker, "bytes", values.number(report.bytes));
    values.set(worker, "batches", values.number(report.batches));
    values.set(worker, "drops", values.number(report.drops));
    values.push(workers, i, worker);
  }
  values.set(object, "workers", workers);
  return {info.Env(), object};
}

Napi::Value EngineObject::bypassRefusal(const Napi::CallbackInfo& info) {
  const Engine* const open = engine(info);
  if (open == nullptr) return {};
  return {info.Env(), Values(info.Env()).text(open->bypassRefusal())};
}

void EngineObject::startCapture(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Engine::Side side = readSide(arguments);
  const std::string path = arguments.text(arguments.at(1), "path", kMaxPathBytes);
  const Capture::Limits limits{.maxBytes = arguments.wide(arguments.at(2), "maxBytes"),
                               .snapBytes = arguments.number(arguments.at(3), "snapBytes", 1)};
  if (arguments.failed()) return;
  Engine* const open = engine(info);
  if (open == nullptr) return;
  if (const Status status = open->startCapture(side, path, limits)) throwFailure(info.Env(), *status);
}

Napi::Value EngineObject::stopCapture(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const Engine::Side side = readSide(arguments);
  if (arguments.failed()) return {};
  Engine* const open = engine(info);
  if (open == nullptr) return {};
  const Capture::Counts counts = open->stopCapture(side);
  const Values values(info.Env());
  const napi_value object = values.object();
  values.set(object, "packets", values.number(counts.packets));
  values.set(object, "missed", values.number(counts.missed));
  return {info.Env(), object};
}

void EngineObject::closeTunnel(const Napi::CallbackInfo&) {
  if (engine_ != nullptr) engine_->closeTunnel();
  closeWhenDone();
}

void EngineObject::closeSockets(const Napi::CallbackInfo&) {
  if (engine_ != nullptr) engine_->closeSockets();
  closeWhenDone();
}

void EngineObject::closeWhenDone() {
  if (engine_ != nullptr && !engine_->tunnelOpen() && !engine_->socketsOpen()) shutDown();
}

}  // namespace ike
