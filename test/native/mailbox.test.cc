// The mailbox: bounds of its two queues, and that a reader is woken once for what lies in it.
#include "engine/mailbox.h"

#include <atomic>
#include <thread>

#include "check.h"

namespace {

using ike::Event;
using ike::IkeDatagram;
using ike::Mailbox;

IkeDatagram datagramOf(std::size_t bytes) {
  IkeDatagram datagram;
  datagram.data.resize(bytes);
  return datagram;
}

TEST("a mailbox holds so many datagrams, bytes and events, and says so when it is full") {
  Mailbox mailbox;
  for (std::size_t i = 0; i < Mailbox::kMaxDatagrams; i++) CHECK(mailbox.post(datagramOf(100)));
  CHECK(!mailbox.post(datagramOf(100)));
  // The other queue has its own bound.
  for (std::size_t i = 0; i < Mailbox::kMaxEvents; i++) CHECK(mailbox.post(Event(Event::Type::mapping)));
  CHECK(!mailbox.post(Event(Event::Type::mapping)));

  const Mailbox::Contents contents = mailbox.take();
  CHECK_EQ(contents.datagrams.size(), Mailbox::kMaxDatagrams);
  CHECK_EQ(contents.events.size(), Mailbox::kMaxEvents);
  CHECK(mailbox.take().datagrams.empty());

  const std::size_t large = 65536;
  for (std::size_t i = 0; i < Mailbox::kMaxDatagramBytes / large; i++) CHECK(mailbox.post(datagramOf(large)));
  CHECK(!mailbox.post(datagramOf(1)));
  mailbox.take();
  CHECK(mailbox.post(datagramOf(1)));
}

TEST("a mailbox wakes its reader once until it is emptied") {
  Mailbox mailbox;
  int woken = 0;
  mailbox.setWake([](void* context) { ++*static_cast<int*>(context); }, &woken);
  for (int i = 0; i < 5; i++) mailbox.post(Event(Event::Type::expire, 1));
  mailbox.post(datagramOf(10));
  CHECK_EQ(woken, 1);
  mailbox.take();
  mailbox.post(datagramOf(10));
  CHECK_EQ(woken, 2);
}

TEST("two threads that write and one that reads lose nothing and get each writer's events in order") {
  constexpr std::uint32_t kEach = 20'000;
  Mailbox mailbox;
  std::atomic<int> wakes = 0;
  mailbox.setWake([](void* context) { ++*static_cast<std::atomic<int>*>(context); }, &wakes);
  const auto write = [&mailbox](Event::Type type) {
    for (std::uint32_t i = 0; i < kEach;)
      if (mailbox.post(Event(type, i))) i++;
  };
  std::thread one(write, Event::Type::acquire);
  std::thread other(write, Event::Type::expire);
  std::uint32_t next[2] = {0, 0};
  bool inOrder = true;
  while (next[0] + next[1] < 2 * kEach)
    for (const Event& event : mailbox.take().events)
      inOrder = inOrder && event.id == next[event.type == Event::Type::expire ? 1 : 0]++;
  one.join();
  other.join();
  CHECK(inOrder);
  CHECK(wakes > 0);
}

}  // namespace
