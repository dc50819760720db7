// Datagrams and events as JavaScript objects (the types of
// lib/ipsec/engine/native.ts).
#include "napi/event-queue.h"

#include "napi/values.h"

namespace ike {
namespace {

napi_value datagramValue(const Values& values, const IkeDatagram& datagram) {
  const napi_value object = values.object();
  values.set(object, "local", values.bytes(datagram.local.address.view()));
  values.set(object, "localPort", values.number(std::uint64_t{datagram.local.port}));
  values.set(object, "remote", values.bytes(datagram.remote.address.view()));
  values.set(object, "remotePort", values.number(std::uint64_t{datagram.remote.port}));
  values.set(object, "natt", values.boolean(datagram.natt));
  values.set(object, "data", values.bytes(datagram.data));
  return object;
}

napi_value packetValue(const Values& values, const PacketInfo& packet) {
  const napi_value object = values.object();
  values.set(object, "protocol", values.number(std::uint64_t{packet.protocol}));
  values.set(object, "source", values.bytes(packet.source.view()));
  values.set(object, "destination", values.bytes(packet.destination.view()));
  values.set(object, "sourcePort", values.number(std::uint64_t{packet.sourcePort}));
  // ICMP's type and code are in one place only (PacketSummary).
  const bool icmp = packet.protocol == 1 || packet.protocol == 58;
  values.set(object, "destinationPort",
             values.number(std::uint64_t{icmp ? std::uint16_t{0} : packet.destinationPort}));
  return object;
}

napi_value eventValue(const Values& values, const Event& event) {
  const napi_value object = values.object();
  values.set(object, "id", values.number(std::uint64_t{event.id}));
  switch (event.type) {
    case Event::Type::acquire:
      values.set(object, "type", values.text("acquire"));
      values.set(object, "packet", packetValue(values, event.packet));
      break;
    case Event::Type::expire:
      values.set(object, "type", values.text("expire"));
      values.set(object, "hard", values.boolean(event.hard));
      break;
    case Event::Type::mapping:
      values.set(object, "type", values.text("mapping"));
      values.set(object, "remote", values.bytes(event.remote.address.view()));
      values.set(object, "remotePort", values.number(std::uint64_t{event.remote.port}));
      break;
    case Event::Type::tunLost:
      values.set(object, "type", values.text("tun-lost"));
      break;
  }
  return object;
}

void deliver(Mailbox& mailbox, napi_env env, napi_value callback) {
  const Mailbox::Contents contents = mailbox.take();
  if (contents.datagrams.empty() && contents.events.empty()) return;
  const Values values(env);
  napi_value arguments[] = {values.list(contents.datagrams, datagramValue),
                            values.list(contents.events, eventValue)};
  if (arguments[0] == nullptr || arguments[1] == nullptr) return;
  napi_call_function(env, values.undefined(), callback, 2, arguments, nullptr);
}

}  // namespace

std::unique_ptr<EventQueue> EventQueue::open(napi_env env, napi_value callback,
                                             std::shared_ptr<Mailbox> mailbox) {
  std::unique_ptr<Bell> bell =
      Bell::open(env, callback, "ike-native engine",
                 [mailbox](napi_env here, napi_value function) { deliver(*mailbox, here, function); });
  if (bell == nullptr) return nullptr;
  mailbox->setWake([](void* context) { static_cast<Bell*>(context)->ring(); }, bell.get());
  return std::unique_ptr<EventQueue>(new EventQueue(std::move(mailbox), std::move(bell)));
}

EventQueue::~EventQueue() { mailbox_->setWake(nullptr, nullptr); }

}  // namespace ike
