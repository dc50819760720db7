// Packets through the cores, and databases of any size to send them through. Policy p is for the packets from
// 172.16.0.0/12 to the p-th /24 below 10.0.0.0; its SAs share out the addresses of that.
#include "napi/core-bench.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "napi/arguments.h"
#include "napi/values.h"

namespace ike {
namespace {

constexpr std::size_t kHeldPackets = 64;
constexpr std::uint32_t kMostPairs = 131072;
constexpr std::uint32_t kMostPolicies = 65536;
constexpr std::uint32_t kMostPackets = 100'000'000;
constexpr std::uint32_t kMostOfPolicy = 256;
/** Ids below are for the caller's own. */
constexpr std::uint32_t kFirstId = 1u << 24;
constexpr std::uint32_t kInboundIds = 1u << 20;
constexpr std::size_t kHeaderBytes = 28;

std::int64_t nowNs() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/** Bytes that are allocated, as far as the C library tells. */
double allocatedBytes() noexcept {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
#else
  return 0;
#endif
}

Address v4(std::uint32_t number) noexcept {
  std::array<std::uint8_t, 4> bytes;
  store32(bytes.data(), number);
  return Address::from(bytes);
}

Selector range(std::uint32_t first, std::uint32_t last) noexcept {
  Selector selector;
  selector.start = v4(first);
  selector.end = v4(last);
  return selector;
}

const Selector& localSelector() noexcept {
  static const Selector selector = range(0xac100000, 0xac1fffff);
  return selector;
}

/** Spreads the numbers below `count` so that neither neighbours nor a stride are near each other. */
std::uint32_t shuffled(std::uint64_t turn, std::uint32_t count) noexcept {
  return static_cast<std::uint32_t>((turn * 0x9e3779b97f4a7c15u >> 20) % count);
}

}  // namespace

Napi::Function CoreBench::define(Napi::Env env) {
  return DefineClass(env, "CoreBench",
                     {
                         InstanceMethod<&CoreBench::addSa>("addSa"),
                         InstanceMethod<&CoreBench::deleteSa>("deleteSa"),
                         InstanceMethod<&CoreBench::addPolicy>("addPolicy"),
                         InstanceMethod<&CoreBench::deletePolicy>("deletePolicy"),
                         InstanceMethod<&CoreBench::outbound>("outbound"),
                         InstanceMethod<&CoreBench::inbound>("inbound"),
                         InstanceMethod<&CoreBench::populate>("populate"),
                         InstanceMethod<&CoreBench::run>("run"),
                         InstanceMethod<&CoreBench::depopulate>("depopulate"),
                     });
}

CoreBench::CoreBench(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<CoreBench>(info), out_(mailbox_, kHeldPackets, false), in_(mailbox_) {}

void CoreBench::addSa(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  SaSpec spec = arguments.sa(arguments.at(0));
  if (arguments.failed()) return;
  std::unique_ptr<Suite> suite = createSuite(spec);
  if (suite == nullptr)
    return throwFailure(info.Env(),
                        {"ERR_IKE_ALGORITHM", "no such algorithms, or a key has the wrong length"});
  const bool taken = spec.inbound ? in_.hasSa(spec.id) || in_.hasSpi(spec.spi) : out_.hasSa(spec.id);
  if (taken) return throwFailure(info.Env(), {"ERR_IKE_EXISTS", "there is such an SA already"});
  const Status status = spec.inbound ? in_.addSa(std::move(spec), std::move(suite))
                                     : out_.addSa(std::move(spec), std::move(suite));
  if (status) throwFailure(info.Env(), *status);
}

void CoreBench::deleteSa(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t id = arguments.number(arguments.at(0), "id");
  if (arguments.failed()) return;
  out_.deleteSa(id);
  in_.deleteSa(id);
}

void CoreBench::addPolicy(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::unique_ptr<Policy> policy = arguments.policy(arguments.at(0));
  if (arguments.failed()) return;
  if (const Status status = out_.addPolicy(std::move(policy))) throwFailure(info.Env(), *status);
}

void CoreBench::deletePolicy(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t id = arguments.number(arguments.at(0), "id");
  if (!arguments.failed()) out_.deletePolicy(id);
}

Napi::Value CoreBench::outbound(const Napi::CallbackInfo& info) { return process(info, true); }
Napi::Value CoreBench::inbound(const Napi::CallbackInfo& info) { return process(info, false); }

void CoreBench::seal(std::span<Packet> packets, std::int64_t now) {
  out_.begin(packets, outWork_, now);
  outWork_.encrypt();
  out_.finish(outWork_, now);
  outWork_.done();
}

void CoreBench::open(std::span<Packet> packets, std::int64_t now) {
  in_.begin(packets, inWork_);
  do {
    inWork_.decrypt();
    in_.finish(inWork_, now);
  } while (inWork_.unfinished());
  inWork_.done();
}

Napi::Value CoreBench::process(const Napi::CallbackInfo& info, bool outward) {
  Arguments arguments(info);
  const std::vector<std::vector<std::uint8_t>> input = arguments.packets(arguments.at(0), "packets");
  if (arguments.failed()) return {};
  const Values values(info.Env());
  const napi_value output = values.array();
  std::array<Packet, kBatch> packets;
  for (std::size_t done = 0; done < input.size(); done += kBatch) {
    const std::size_t count = std::min(kBatch, input.size() - done);
    for (std::size_t i = 0; i < count; i++) {
      packets[i] = Packet(slots_.at(i), kHeadroom, input[done + i].size());
      std::copy(input[done + i].begin(), input[done + i].end(), packets[i].bytes().begin());
    }
    if (outward)
      seal(std::span(packets).first(count), nowNs());
    else
      open(std::span(packets).first(count), nowNs());
    for (std::size_t i = 0; i < count; i++) {
      const bool dropped = packets[i].drop != Drop::none;
      const char* const cause = kDropNames[static_cast<std::size_t>(packets[i].drop)];
      values.push(output, done + i,
                  packets[i].bypass ? values.text("bypass")
                  : dropped         ? values.text(cause)
                                    : values.bytes(packets[i].bytes()));
    }
  }
  return {info.Env(), output};
}

Status CoreBench::addPair(std::uint32_t number, std::uint32_t window, std::int64_t& scheduleNs) {
  const std::uint32_t ofPolicy = (pairs_ + policies_ - 1) / policies_;
  const std::uint32_t share = 256 / ofPolicy;
  const std::uint32_t first = 0x0a000000 + number % policies_ * 256 + number / policies_ * share;
  std::array<std::uint8_t, 20> key{};
  store32(key.data(), number);
  for (const bool inbound : {true, false}) {
    SaSpec spec;
    spec.id = kFirstId + number + (inbound ? kInboundIds : 0);
    spec.inbound = inbound;
    spec.spi = kFirstId + number;
    spec.policyId = kFirstId + number % policies_;
    spec.local = {v4(0xc0000201), 4500};
    spec.remote = {v4(0xc6330000 + number), 4500};
    spec.keys.encryption = Encryption::aesGcm16;
    spec.keys.encryptionKey = Secret(key);
    spec.replayWindow = window;
    spec.localTs = {localSelector()};
    spec.remoteTs = {range(first, first + share - 1)};
    // What comes back from the peer of the benchmark is what was sent to it.
    if (inbound) std::swap(spec.localTs, spec.remoteTs);
    const std::int64_t before = nowNs();
    std::unique_ptr<Suite> suite = Suite::create(spec.keys, !inbound);
    scheduleNs += nowNs() - before;
    if (suite == nullptr) return Failure{"ERR_IKE_ALGORITHM", "no AES-GCM"};
    spec.keys.encryptionKey = Secret();
    if (Status status = inbound ? in_.addSa(std::move(spec), std::move(suite))
                                : out_.addSa(std::move(spec), std::move(suite)))
      return status;
  }
  return std::nullopt;
}

Napi::Value CoreBench::populate(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::uint32_t pairs = arguments.number(arguments.at(0), "pairs", 1, kMostPairs);
  const std::uint32_t policies = arguments.number(arguments.at(1), "policies", 1, kMostPolicies);
  const std::uint32_t window = arguments.number(arguments.at(2), "window", 0, ReplayWindow::kMaxPackets);
  if (pairs / policies >= kMostOfPolicy) arguments.refuse("pairs", "at most 255 times policies", true);
  if (pairs_ > 0) arguments.refuse("pairs", "given once", true);
  if (arguments.failed()) return {};
  pairs_ = pairs;
  policies_ = policies;
  Status status;
  const double bytesAtFirst = allocatedBytes();
  const std::int64_t atFirst = nowNs();
  for (std::uint32_t i = 0; i < policies && !status; i++) {
    auto policy = std::make_unique<Policy>();
    policy->id = kFirstId + i;
    policy->priority = 1000;
    policy->localTs = {localSelector()};
    policy->remoteTs = {range(0x0a000000 + i * 256, 0x0a0000ff + i * 256)};
    status = out_.addPolicy(std::move(policy));
  }
  const std::int64_t afterPolicies = nowNs();
  const double bytesOfPolicies = allocatedBytes() - bytesAtFirst;
  std::int64_t scheduleNs = 0;
  for (std::uint32_t i = 0; i < pairs && !status; i++) status = addPair(i, window, scheduleNs);
  const std::int64_t afterPairs = nowNs();
  if (status) {
    throwFailure(info.Env(), *status);
    return {};
  }
  const Values values(info.Env());
  const napi_value object = values.object();
  values.set(object, "policyNs", values.number(static_cast<double>(afterPolicies - atFirst) / policies));
  values.set(object, "pairNs", values.number(static_cast<double>(afterPairs - afterPolicies) / pairs));
  values.set(object, "scheduleNs", values.number(static_cast<double>(scheduleNs) / pairs));
  values.set(object, "policyBytes", values.number(bytesOfPolicies / policies));
  values.set(object, "pairBytes", values.number((allocatedBytes() - bytesAtFirst - bytesOfPolicies) / pairs));
  return {info.Env(), object};
}

void CoreBench::place(Packet& packet, std::size_t slot, std::uint32_t pair,
                      std::size_t lengthBytes) noexcept {
  packet.place(slots_.at(slot), kHeadroom, lengthBytes);
  std::uint8_t* const bytes = packet.bytes().data();
  const std::uint32_t ofPolicy = (pairs_ + policies_ - 1) / policies_;
  std::fill_n(bytes, kHeaderBytes, std::uint8_t{0});
  bytes[0] = 0x45;
  bytes[2] = static_cast<std::uint8_t>(lengthBytes >> 8);
  bytes[3] = static_cast<std::uint8_t>(lengthBytes);
  bytes[8] = 64;
  bytes[9] = 17;
  store32(bytes + 12, 0xac100001);
  store32(bytes + 16, 0x0a000000 + pair % policies_ * 256 + pair / policies_ * (256 / ofPolicy));
  store32(bytes + 20, 5000u << 16 | 5001);
}

Napi::Value CoreBench::run(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::size_t lengthBytes = arguments.number(arguments.at(0), "packetBytes", kHeaderBytes, 9000);
  const std::uint32_t rounds = arguments.number(arguments.at(1), "packets", 1, kMostPackets);
  const bool spread = arguments.boolean(arguments.at(2), "spread");
  if (pairs_ == 0) arguments.refuse("packets", "asked for after populate()", true);
  if (arguments.failed()) return {};
  std::array<Packet, kBatch> packets;
  std::int64_t sealNs = 0;
  std::int64_t openNs = 0;
  for (std::uint64_t done = 0; done < rounds; done += kBatch) {
    for (std::size_t i = 0; i < kBatch; i++)
      place(packets[i], i, spread ? shuffled(done + i, pairs_) : pairs_ / 2, lengthBytes);
    const std::int64_t atFirst = nowNs();
    seal(packets, atFirst);
    const std::int64_t sealed = nowNs();
    open(packets, sealed);
    const std::int64_t opened = nowNs();
    sealNs += sealed - atFirst;
    openNs += opened - sealed;
    for (const Packet& packet : packets)
      if (packet.drop != Drop::none) {
        throwFailure(info.Env(), {"ERR_IKE_DROPPED", kDropNames[static_cast<std::size_t>(packet.drop)]});
        return {};
      }
  }
  const double count = static_cast<double>((rounds + kBatch - 1) / kBatch * kBatch);
  const Values values(info.Env());
  const napi_value object = values.object();
  values.set(object, "sealNs", values.number(static_cast<double>(sealNs) / count));
  values.set(object, "openNs", values.number(static_cast<double>(openNs) / count));
  return {info.Env(), object};
}

Napi::Value CoreBench::depopulate(const Napi::CallbackInfo& info) {
  const std::int64_t atFirst = nowNs();
  for (std::uint32_t turn = 0; turn < pairs_; turn++) {
    // Neither in the order in which they came nor in the reverse.
    const std::uint32_t id = kFirstId + (turn % 2 == 0 ? turn / 2 : pairs_ - 1 - turn / 2);
    out_.deleteSa(id);
    in_.deleteSa(id + kInboundIds);
  }
  const std::int64_t afterPairs = nowNs();
  for (std::uint32_t i = 0; i < policies_; i++) out_.deletePolicy(kFirstId + i);
  const std::int64_t afterPolicies = nowNs();
  const Values values(info.Env());
  const napi_value object = values.object();
  values.set(object, "pairNs",
             values.number(static_cast<double>(afterPairs - atFirst) / std::max(pairs_, 1u)));
  values.set(object, "policyNs",
             values.number(static_cast<double>(afterPolicies - afterPairs) / std::max(policies_, 1u)));
  pairs_ = policies_ = 0;
  return {info.Env(), object};
}

}  // namespace ike
