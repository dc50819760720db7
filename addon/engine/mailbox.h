// What the worker tells JavaScript: IKE datagrams and rare events, in two bounded queues that are emptied
// together.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "net/address.h"
#include "policy/packet-info.h"

namespace ike {

struct IkeDatagram {
  Endpoint local;
  Endpoint remote;
  bool natt = false;
  std::vector<std::uint8_t> data;
};

struct Event {
  enum class Type { acquire, expire, mapping, tunLost };

  explicit Event(Type what, std::uint32_t which = 0) noexcept : type(what), id(which) {}

  Type type;
  /** The policy's id for `acquire`, else the SA's. */
  std::uint32_t id;
  bool hard = false;
  Endpoint remote;
  PacketInfo packet;
};

class Mailbox {
 public:
  static constexpr std::size_t kMaxDatagrams = 1024;
  static constexpr std::size_t kMaxDatagramBytes = 8 << 20;
  static constexpr std::size_t kMaxEvents = 8192;

  struct Contents {
    std::vector<IkeDatagram> datagrams;
    std::vector<Event> events;
  };

  /** `wake` is called when something came into the empty mailbox. */
  using Wake = void (*)(void* context);
  void setWake(Wake wake, void* context) noexcept;

  /** False when the queue is full: the caller counts it, or says it again later. */
  bool post(IkeDatagram datagram);
  bool post(const Event& event);

  Contents take();

 private:
  void wakeOnce() noexcept;

  std::mutex mutex_;
  Contents contents_;
  std::size_t datagramBytes_ = 0;
  bool awake_ = false;
  Wake wake_ = nullptr;
  void* wakeContext_ = nullptr;
};

}  // namespace ike
