// The class `EspCodec`: one SA by itself, without sockets or threads, through the code that the worker uses.
// For tests and benchmarks.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>

#include "esp/inbound-sa.h"
#include "esp/outbound-sa.h"
#include "esp/slots.h"

namespace ike {

class CodecObject : public Napi::ObjectWrap<CodecObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit CodecObject(const Napi::CallbackInfo& info);

 private:
  /** `(Uint8Array | string)[]`: what became of each packet, or the name of the cause of its drop. Without UDP
   * what is sealed, and what is to be opened, are complete IP packets. */
  Napi::Value seal(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  /** The same packet, or some in turn, many times; results thrown away. */
  void sealRepeatedly(const Napi::CallbackInfo& info);
  void openRepeatedly(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  Napi::Value takeExpiry(const Napi::CallbackInfo& info);

  Napi::Value run(const Napi::CallbackInfo& info, bool sealing);
  void repeat(const Napi::CallbackInfo& info, bool sealing);
  void place(Packet& packet, std::span<const std::uint8_t> input, bool sealing) noexcept;
  void process(std::span<Packet*> packets, bool sealing) noexcept;
  bool fits(const Napi::CallbackInfo& info, bool sealing) const;

  std::unique_ptr<OutboundSa> outbound_;
  std::unique_ptr<InboundSa> inbound_;
  bool inUdp_ = true;
  /** DSCP and ECN of the last packet's outer header. */
  std::uint8_t lastTos_ = 0;
  Slots slots_;
  Spare spare_{Slots::kMaxPacketBytes + kBatch * kIpv6HeaderBytes};
};

}  // namespace ike
