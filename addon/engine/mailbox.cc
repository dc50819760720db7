// The two queues and their bounds.
#include "engine/mailbox.h"

#include <utility>

namespace ike {

void Mailbox::setWake(Wake wake, void* context) noexcept {
  const std::lock_guard lock(mutex_);
  wake_ = wake;
  wakeContext_ = context;
}

bool Mailbox::post(IkeDatagram datagram) {
  const std::lock_guard lock(mutex_);
  if (contents_.datagrams.size() >= kMaxDatagrams ||
      datagramBytes_ + datagram.data.size() > kMaxDatagramBytes)
    return false;
  datagramBytes_ += datagram.data.size();
  contents_.datagrams.push_back(std::move(datagram));
  wakeOnce();
  return true;
}

bool Mailbox::post(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (contents_.events.size() >= kMaxEvents) return false;
  contents_.events.push_back(event);
  wakeOnce();
  return true;
}

Mailbox::Contents Mailbox::take() {
  const std::lock_guard lock(mutex_);
  awake_ = false;
  datagramBytes_ = 0;
  return std::exchange(contents_, {});
}

void Mailbox::wakeOnce() noexcept {
  if (awake_ || wake_ == nullptr) return;
  awake_ = true;
  wake_(wakeContext_);
}

}  // namespace ike
