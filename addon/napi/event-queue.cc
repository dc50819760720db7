// The thread-safe function, and datagrams and events as JavaScript objects (the types of
// lib/ipsec/engine/native.ts).
#include "napi/event-queue.h"

#include "napi/values.h"

namespace ike {
namespace {

using MailboxHandle = std::shared_ptr<Mailbox>;

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

/** On the thread of JavaScript. `env` is null when the environment is going. */
void deliver(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr || callback == nullptr) return;
  const Mailbox::Contents contents = (*static_cast<MailboxHandle*>(context))->take();
  if (contents.datagrams.empty() && contents.events.empty()) return;
  const Values values(env);
  napi_value arguments[] = {values.array(), values.array()};
  // One scope a value: thousands of handles would otherwise live until the end of the call.
  const auto fill = [&](napi_value array, const auto& items, auto make) {
    for (std::size_t i = 0; i < items.size(); i++) {
      napi_handle_scope scope = nullptr;
      if (napi_open_handle_scope(env, &scope) != napi_ok) return;
      values.push(array, i, make(values, items[i]));
      napi_close_handle_scope(env, scope);
    }
  };
  fill(arguments[0], contents.datagrams, datagramValue);
  fill(arguments[1], contents.events, eventValue);
  if (arguments[0] == nullptr || arguments[1] == nullptr) return;
  napi_call_function(env, values.undefined(), callback, 2, arguments, nullptr);
}

void finalize(napi_env, void* data, void*) { delete static_cast<MailboxHandle*>(data); }

}  // namespace

std::unique_ptr<EventQueue> EventQueue::open(napi_env env, napi_value callback,
                                             std::shared_ptr<Mailbox> mailbox) {
  std::unique_ptr<EventQueue> queue(new EventQueue(mailbox));
  auto handle = std::make_unique<MailboxHandle>(mailbox);
  const napi_value name = Values(env).text("ike-native engine");
  if (napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, handle.get(), finalize,
                                      handle.get(), deliver, &queue->function_) != napi_ok)
    return nullptr;
  // Its finalizer owns it from here on.
  [[maybe_unused]] const MailboxHandle* const owned = handle.release();
  mailbox->setWake(
      [](void* function) {
        napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(function), nullptr,
                                      napi_tsfn_nonblocking);
      },
      queue->function_);
  return queue;
}

EventQueue::~EventQueue() {
  mailbox_->setWake(nullptr, nullptr);
  if (function_ != nullptr) napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

}  // namespace ike
