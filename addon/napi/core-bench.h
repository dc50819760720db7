// The class `CoreBench`: both halves of the core and their databases, without sockets, devices or threads.
// For tests and for the benchmark of many SAs.
#pragma once

#include <napi.h>

#include "engine/inbound-core.h"
#include "engine/mailbox.h"
#include "engine/outbound-core.h"
#include "esp/slots.h"

namespace ike {

class CoreBench : public Napi::ObjectWrap<CoreBench> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit CoreBench(const Napi::CallbackInfo& info);

 private:
  void addSa(const Napi::CallbackInfo& info);
  void deleteSa(const Napi::CallbackInfo& info);
  void addPolicy(const Napi::CallbackInfo& info);
  void deletePolicy(const Napi::CallbackInfo& info);
  /** `(Uint8Array | string)[]`: what became of each packet, `bypass`, or the name of the cause of its drop.
   */
  Napi::Value outbound(const Napi::CallbackInfo& info);
  Napi::Value inbound(const Napi::CallbackInfo& info);

  /** `(pairs, policies, window)`: SAs in both directions with AES-GCM, as many for each policy; tells what
   * that cost. */
  Napi::Value populate(const Napi::CallbackInfo& info);
  /** `(packetBytes, packets, spread)`: seals and opens packets, of one SA or of all in turn; nanoseconds of
   * both. */
  Napi::Value run(const Napi::CallbackInfo& info);
  /** Takes away what `populate` added; nanoseconds. */
  Napi::Value depopulate(const Napi::CallbackInfo& info);

  Napi::Value process(const Napi::CallbackInfo& info, bool outward);
  Status addPair(std::uint32_t number, std::uint32_t window, std::int64_t& scheduleNs);
  void place(Packet& packet, std::size_t slot, std::uint32_t pair, std::size_t lengthBytes) noexcept;

  void seal(std::span<Packet> packets, std::int64_t now);
  void open(std::span<Packet> packets, std::int64_t now);

  Mailbox mailbox_;
  OutboundCore out_;
  InboundCore in_;
  OutboundWork outWork_;
  InboundWork inWork_;
  Slots slots_;
  std::uint32_t pairs_ = 0;
  std::uint32_t policies_ = 0;
};

}  // namespace ike
