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
  std::unique_ptr<Suite> suite = Suite::create(spec.keys, !spec.inbound);
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

Napi::Value CodecObject::run(const Napi::CallbackInfo& info, bool sealing) {
  Arguments arguments(info);
  const std::vector<std::vector<std::uint8_t>> input = arguments.packets(arguments.at(0), "packets");
  if (arguments.failed() || !fits(info, sealing)) return {};
  const Values values(info.Env());
  const napi_value output = values.array();
  std::array<Packet, kBatch> packets;
  std::array<Packet*, kBatch> pointers;
  for (std::size_t done = 0; done < input.size(); done += kBatch) {
    const std::size_t count = std::min(kBatch, input.size() - done);
    for (std::size_t i = 0; i < count; i++) {
      packets[i] = Packet(slots_.at(i), kHeadroom, input[done + i].size());
      std::copy(input[done + i].begin(), input[done + i].end(), packets[i].bytes().begin());
      pointers[i] = &packets[i];
    }
    process(std::span(pointers).first(count), sealing);
    for (std::size_t i = 0; i < count; i++) {
      const bool dropped = packets[i].drop != Drop::none;
      const char* const cause = kDropNames[static_cast<std::size_t>(packets[i].drop)];
      values.push(output, done + i, dropped ? values.text(cause) : values.bytes(packets[i].bytes()));
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
  return {info.Env(), object};
}

}  // namespace ike
