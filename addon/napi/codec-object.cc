// Packets from JavaScript into slots, through the SA, and back.
#include "napi/codec-object.h"

#include <algorithm>
#include <array>

#include "napi/arguments.h"
#include "napi/values.h"

namespace ike {
namespace {

constexpr std::uint32_t kMaxRounds = 100'000'000;
/** Any time will do: it only tells used from unused. */
constexpr std::int64_t kNowNs = 1;

}  // namespace

Napi::Function CodecObject::define(Napi::Env env) {
  return DefineClass(env, "EspCodec",
                     {
                         InstanceMethod<&CodecObject::seal>("seal"),
                         InstanceMethod<&CodecObject::open>("open"),
                         InstanceMethod<&CodecObject::sealRepeatedly>("sealRepeatedly"),
                         InstanceMethod<&CodecObject::openRepeatedly>("openRepeatedly"),
                         InstanceMethod<&CodecObject::counters>("counters"),
                         InstanceMethod<&CodecObject::takeExpiry>("takeExpiry"),
                     });
}

CodecObject::CodecObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<CodecObject>(info) {
  Arguments arguments(info);
  SaSpec spec = arguments.sa(arguments.at(0));
  // The last number used, in two halves; absent: none.
  const napi_value high = arguments.at(1);
  const napi_value low = arguments.at(2);
  std::uint64_t last = 0;
  if (!arguments.isUndefined(high))
    last = std::uint64_t{arguments.number(high, "sequenceHigh")} << 32 | arguments.number(low, "sequenceLow");
  if (!arguments.failed() && !spec.keys.esn && last > UINT32_MAX)
    arguments.refuse("sequenceHigh", "0 without extended sequence numbers", true);
  // What computes AES-GCM; absent: the fastest that runs here.
  const napi_value kernel = arguments.at(3);
  if (!arguments.isUndefined(kernel)) spec.keys.gcmKernel = arguments.text(kernel, "kernel", 16);
  if (arguments.failed()) return;
  inUdp_ = spec.udpEncapsulation;
  std::unique_ptr<Suite> suite = createSuite(spec);
  if (suite == nullptr) {
    throwFailure(info.Env(), {"ERR_IKE_ALGORITHM", "no such algorithms, or a key has the wrong length"});
    return;
  }
  if (spec.inbound) {
    inbound_ = std::make_unique<InboundSa>(std::move(spec), std::move(suite));
    inbound_->startAt(last);
  } else {
    outbound_ = std::make_unique<OutboundSa>(std::move(spec), std::move(suite));
    outbound_->startAt(last);
  }
}

Napi::Value CodecObject::seal(const Napi::CallbackInfo& info) { return run(info, true); }
Napi::Value CodecObject::open(const Napi::CallbackInfo& info) { return run(info, false); }
void CodecObject::sealRepeatedly(const Napi::CallbackInfo& info) { repeat(info, true); }
void CodecObject::openRepeatedly(const Napi::CallbackInfo& info) { repeat(info, false); }

bool CodecObject::fits(const Napi::CallbackInfo& info, bool sealing) const {
  if (sealing ? outbound_ != nullptr : inbound_ != nullptr) return true;
  throwFailure(info.Env(),
               {"ERR_IKE_DIRECTION", sealing ? "this SA does not send" : "this SA does not receive"});
  return false;
}

void CodecObject::process(std::span<Packet*> packets, bool sealing) noexcept {
  if (sealing)
    outbound_->seal(packets, kNowNs);
  else
    inbound_->open(packets, kNowNs);
}

/** Puts it into its slot as a worker would: what is received without UDP is found behind its IP header. */
void CodecObject::place(Packet& packet, std::span<const std::uint8_t> input, bool sealing) noexcept {
  packet.lengthBytes = input.size();
  packet.drop = Drop::none;
  packet.viaSaId = 0;
  packet.outerBytes = 0;
  std::copy(input.begin(), input.end(), packet.bytes().begin());
  if (sealing || inUdp_) return;
  const std::optional<IpsecPlace> found = findIpsec(packet.bytes());
  if (!found) {
    packet.drop = Drop::malformed;
    return;
  }
  packet.tos = found->tos;
  packet.ah = found->protocol == kProtocolAh;
  packet.outerBytes = found->outerBytes;
  packet.offset += found->outerBytes;
  packet.lengthBytes = found->lengthBytes - found->outerBytes;
}

Napi::Value CodecObject::run(const Napi::CallbackInfo& info, bool sealing) {
  Arguments arguments(info);
  const std::vector<std::vector<std::uint8_t>> input = arguments.packets(arguments.at(0), "packets");
  // What the socket says of the outer header, and the AH SA that the packets came through; absent: 0.
  const napi_value givenTos = arguments.at(1);
  const napi_value givenVia = arguments.at(2);
  const auto tos = static_cast<std::uint8_t>(
      arguments.isUndefined(givenTos) ? 0 : arguments.number(givenTos, "tos", 0, UINT8_MAX));
  const std::uint32_t via = arguments.isUndefined(givenVia) ? 0 : arguments.number(givenVia, "viaSaId");
  if (arguments.failed() || !fits(info, sealing)) return {};
  const Values values(info.Env());
  const napi_value output = values.array();
  std::array<Packet, kBatch> packets;
  std::array<Packet*, kBatch> pointers;
  for (std::size_t done = 0; done < input.size(); done += kBatch) {
    const std::size_t count = std::min(kBatch, input.size() - done);
    const auto batch = std::span(input).subspan(done, count);
    std::size_t totalBytes = 0;
    for (const std::vector<std::uint8_t>& each : batch) totalBytes += each.size();
    // As they come from UDP_GRO: one straight behind the other.
    const bool tight = !sealing && inUdp_ && totalBytes <= Slots::kMaxPacketBytes;
    spare_.clear();
    for (std::size_t i = 0, at = 0; i < count; i++) {
      packets[i] = Packet(slots_.at(tight ? 0 : i), tight ? at : kHeadroom, 0);
      if (tight) packets[i].slot = packets[i].slot.first(at + batch[i].size());
      at += batch[i].size();
      packets[i].spare = tight ? &spare_ : nullptr;
      packets[i].tos = tos;
      place(packets[i], batch[i], sealing);
      packets[i].viaSaId = via;
      pointers[i] = &packets[i];
    }
    process(std::span(pointers).first(count), sealing);
    for (std::size_t i = 0; i < count; i++) {
      Packet& packet = packets[i];
      if (packet.drop != Drop::none) {
        values.push(output, done + i, values.text(kDropNames[static_cast<std::size_t>(packet.drop)]));
        continue;
      }
      lastTos_ = packet.tos;
      // With ESP still in it: the whole, as it would be looked at next.
      const std::size_t before = packet.viaSaId == 0 ? 0 : packet.outerBytes;
      const auto whole = packet.slot.subspan(packet.offset - before, before + packet.lengthBytes);
      values.push(output, done + i, values.bytes(whole));
    }
  }
  return {info.Env(), output};
}

void CodecObject::repeat(const Napi::CallbackInfo& info, bool sealing) {
  Arguments arguments(info);
  // One packet, or several in turn.
  const Napi::Value given(info.Env(), arguments.at(0));
  std::vector<std::vector<std::uint8_t>> inputs;
  if (given.IsArray())
    inputs = arguments.packets(given, "packets");
  else
    inputs.push_back(arguments.bytes(given, "packet", UINT16_MAX));
  if (inputs.empty()) arguments.refuse("packets", "at least one", true);
  const std::uint32_t rounds = arguments.number(arguments.at(1), "rounds", 0, kMaxRounds);
  if (arguments.failed() || !fits(info, sealing)) return;
  std::array<Packet, kBatch> packets;
  std::array<Packet*, kBatch> pointers;
  std::size_t next = 0;
  for (std::size_t i = 0; i < kBatch; i++) {
    packets[i].slot = slots_.at(i);
    pointers[i] = &packets[i];
  }
  for (std::size_t done = 0; done < rounds; done += kBatch) {
    const std::size_t count = std::min<std::size_t>(kBatch, rounds - done);
    // Not made anew: what is measured is the packet's way, not the writing of zeros.
    for (std::size_t i = 0; i < count; i++) {
      const std::vector<std::uint8_t>& input = inputs[next];
      next = next + 1 == inputs.size() ? 0 : next + 1;
      packets[i].offset = kHeadroom;
      if (!sealing && !inUdp_) {
        place(packets[i], input, sealing);
        continue;
      }
      packets[i].lengthBytes = input.size();
      packets[i].drop = Drop::none;
      std::copy(input.begin(), input.end(), packets[i].bytes().begin());
    }
    process(std::span(pointers).first(count), sealing);
    for (std::size_t i = 0; i < count; i++)
      if (packets[i].drop != Drop::none)
        return throwFailure(info.Env(),
                            {"ERR_IKE_DROPPED", kDropNames[static_cast<std::size_t>(packets[i].drop)]});
  }
}

Napi::Value CodecObject::counters(const Napi::CallbackInfo& info) {
  const Values values(info.Env());
  const napi_value object = values.object();
  if (outbound_ == nullptr && inbound_ == nullptr) return {info.Env(), object};
  const SaCounters& counters = inbound_ ? inbound_->counters() : outbound_->counters();
  values.set(object, "packets", values.number(counters.packets));
  values.set(object, "bytes", values.number(counters.bytes));
  values.set(object, "sequence", values.number(inbound_ ? inbound_->sequence() : outbound_->sequence()));
  values.set(object, "replayDrops", values.number(counters.replayDrops));
  values.set(object, "integrityDrops", values.number(counters.integrityDrops));
  values.set(object, "selectorDrops", values.number(counters.selectorDrops));
  values.set(object, "tos", values.number(std::uint64_t{lastTos_}));
  return {info.Env(), object};
}

Napi::Value CodecObject::takeExpiry(const Napi::CallbackInfo& info) {
  constexpr const char* kNames[] = {"none", "soft", "hard"};
  Expiry expiry = Expiry::none;
  if (outbound_ != nullptr) expiry = outbound_->takeExpiry();
  if (inbound_ != nullptr) expiry = inbound_->takeExpiry();
  return {info.Env(), Values(info.Env()).text(kNames[static_cast<std::size_t>(expiry)])};
}

}  // namespace ike
