// Several threads in the cores at once while SAs come, go and are rekeyed: every packet that leaves is opened
// or counted, in the order of its numbers. No sockets: what one half makes is given to the other as datagrams
// would be. Under ThreadSanitizer this is what looks for races.
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "check.h"
#include "engine/lane.h"
#include "engine/loop.h"
#include "engine/shared.h"
#include "esp/slots.h"

namespace {

using namespace ike;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kPacketBytes = 60;
constexpr std::size_t kPerBatch = 16;
constexpr std::uint32_t kFlows = kThreads;

/** An IPv4 packet of UDP from 10.1.0.1 to 10.2.0.1, of that flow, with a number in it. */
void writePacket(std::span<std::uint8_t> to, std::uint32_t flow, std::uint32_t number) {
  std::fill(to.begin(), to.end(), std::uint8_t{0});
  const std::uint8_t head[] = {0x45, 0, 0, kPacketBytes, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1};
  std::copy(std::begin(head), std::end(head), to.begin());
  to[21] = static_cast<std::uint8_t>(flow + 1);
  to[23] = 9;
  to[25] = kPacketBytes - 20;
  store32(to.data() + 28, number);
}

Selector everything() {
  Selector all;
  all.start = Address::from(std::array<std::uint8_t, 4>{0, 0, 0, 0});
  all.end = Address::from(std::array<std::uint8_t, 4>{255, 255, 255, 255});
  all.endPort = 65535;
  return all;
}

SaSpec specOf(std::uint32_t id, bool inbound, Encryption encryption) {
  SaSpec spec;
  spec.id = id;
  spec.inbound = inbound;
  spec.spi = 0x1000 + id;
  spec.policyId = 1;
  const Address address = Address::from(std::array<std::uint8_t, 4>{192, 0, 2, 1});
  spec.local = spec.remote = {address, 4500};
  spec.localTs = spec.remoteTs = {everything()};
  spec.replayWindow = 64;
  const bool cbc = encryption == Encryption::aesCbc;
  const std::vector<std::uint8_t> key(cbc                                  ? 16
                                      : encryption == Encryption::aesGcm16 ? 20
                                                                           : 36,
                                      static_cast<std::uint8_t>(id));
  const std::vector<std::uint8_t> macKey(32, 7);
  spec.keys.encryption = encryption;
  spec.keys.encryptionKey = Secret(key);
  if (cbc) {
    spec.keys.integrity = Integrity::sha256_128;
    spec.keys.integrityKey = Secret(macKey);
  }
  return spec;
}

std::unique_ptr<Suite> suiteOf(const SaSpec& spec) { return Suite::create(spec.keys, !spec.inbound); }

void addOutbound(Shared& shared, std::uint32_t id, Encryption encryption) {
  SaSpec spec = specOf(id, false, encryption);
  auto suite = suiteOf(spec);
  shared.out.with([&](OutboundCore& core) { return core.addSa(std::move(spec), std::move(suite)); });
}
void addInbound(Shared& shared, std::uint32_t id, Encryption encryption) {
  SaSpec spec = specOf(id, true, encryption);
  auto suite = suiteOf(spec);
  shared.in.with([&](InboundCore& core) { return core.addSa(std::move(spec), std::move(suite)); });
}
void deleteSa(Shared& shared, std::uint32_t id) {
  shared.out.with([id](OutboundCore& core) { core.deleteSa(id); });
  shared.in.with([id](InboundCore& core) { core.deleteSa(id); });
}

/** The network: batches in the order in which they were sent. */
struct Wire {
  using Datagrams = std::vector<std::vector<std::uint8_t>>;
  std::mutex mutex;
  std::deque<Datagrams> batches;
  std::size_t senders = kThreads;
};

/** What an outbound worker does with each batch. */
void send(Shared& shared, Wire& wire, std::uint32_t flow, std::uint32_t batches) {
  Slots slots;
  OutboundWork work;
  std::array<Packet, kPerBatch> packets;
  std::uint32_t number = 0;
  for (std::uint32_t i = 0; i < batches; i++) {
    for (std::size_t j = 0; j < kPerBatch; j++) {
      writePacket(slots.inner(j).first(kPacketBytes), flow, number++);
      packets[j].place(slots.at(j), kHeadroom, kPacketBytes);
    }
    shared.out.with([&](OutboundCore& core) { core.begin(packets, work, steadyNs()); });
    work.encrypt();
    shared.outCounters[flow].add(
        shared.out.with([&](OutboundCore& core) { return core.finish(work, steadyNs()); }));
    Wire::Datagrams datagrams;
    for (const Packet& packet : packets)
      if (packet.drop == Drop::none) datagrams.emplace_back(packet.bytes().begin(), packet.bytes().end());
    work.await();
    {
      const std::lock_guard lock(wire.mutex);
      wire.batches.push_back(std::move(datagrams));
    }
    work.done();
  }
  const std::lock_guard lock(wire.mutex);
  wire.senders--;
}

/** What was written to the device: of each flow the last number, and how many. */
struct Device {
  std::array<std::uint32_t, kFlows> next{};
  std::array<std::uint64_t, kFlows> count{};
  std::atomic<std::uint64_t> disorder = 0;
};

/** What an inbound worker does with each read. */
void receive(Shared& shared, Wire& wire, Device& device, std::size_t index) {
  Slots slots;
  InboundWork work;
  std::array<Packet, kPerBatch> packets;
  Reception& order = shared.reception;
  for (;;) {
    Wire::Datagrams datagrams;
    std::optional<std::uint32_t> taken;
    {
      const std::lock_guard reading(order.reading);
      const std::lock_guard lock(wire.mutex);
      if (wire.batches.empty()) {
        if (wire.senders == 0) return;
      } else {
        datagrams = std::move(wire.batches.front());
        wire.batches.pop_front();
        taken = order.reads.take();
      }
    }
    if (!taken) {
      std::this_thread::yield();
      continue;
    }
    const std::uint32_t place = *taken;
    const std::span<Packet> used = std::span(packets).first(datagrams.size());
    for (std::size_t i = 0; i < used.size(); i++) {
      std::copy(datagrams[i].begin(), datagrams[i].end(), slots.at(i).begin());
      used[i].place(slots.at(i), 0, datagrams[i].size());
      used[i].remote = {Address::from(std::array<std::uint8_t, 4>{192, 0, 2, 1}), 4500};
    }
    shared.in.with([&](InboundCore& core) { core.begin(used, work); });
    work.decrypt();
    order.reads.await(place);
    shared.inCounters[index].add(
        shared.in.with([&](InboundCore& core) { return core.finish(work, steadyNs()); }));
    work.done();
    // A batch is of one flow here.
    const Packet* first = nullptr;
    for (const Packet& packet : used)
      if (packet.drop == Drop::none && first == nullptr) first = &packet;
    const std::size_t flow = first == nullptr ? 0 : first->bytes()[21] - 1u;
    Lane& lane = order.flows[flow];
    const std::uint32_t flowPlace = lane.take();
    order.reads.pass(place);
    lane.await(flowPlace);
    for (const Packet& packet : used) {
      if (packet.drop != Drop::none) continue;
      const std::uint32_t number = load32(packet.bytes().data() + 28);
      if (number < device.next[flow]) device.disorder++;
      device.next[flow] = number + 1;
      device.count[flow]++;
    }
    lane.pass(flowPlace);
  }
}

/** All threads with `rekey` beside them; it is told whether they are still at it. */
template <typename Rekey>
void drive(Shared& shared, std::uint32_t batches, Device& device, Rekey rekey) {
  auto policy = std::make_unique<Policy>();
  policy->id = 1;
  policy->localTs = policy->remoteTs = {everything()};
  shared.out.with([&](OutboundCore& core) { return core.addPolicy(std::move(policy)); });
  Wire wire;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < kThreads; i++) {
    threads.emplace_back([&, i] { send(shared, wire, i, batches); });
    threads.emplace_back([&, i] { receive(shared, wire, device, i); });
  }
  rekey([&] {
    const std::lock_guard lock(wire.mutex);
    return wire.senders > 0;
  });
  for (std::thread& thread : threads) thread.join();
}

std::uint64_t sumOf(const std::array<std::uint64_t, kFlows>& counts) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts) sum += count;
  return sum;
}

TEST("threads that took their places in a lane pass it one at a time, in that order") {
  constexpr std::uint32_t kPasses = 20'000;
  Lane lane;
  std::mutex taking;
  std::uint32_t taken = 0;
  std::vector<std::uint32_t> passed;
  const auto run = [&] {
    for (;;) {
      std::uint32_t place = 0;
      {
        const std::lock_guard lock(taking);
        if (taken == kPasses) return;
        place = lane.take();
        taken++;
      }
      lane.await(place);
      passed.push_back(place);
      lane.pass(place);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kMaxWorkers; i++) threads.emplace_back(run);
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(passed.size(), kPasses);
  for (std::uint32_t i = 0; i < kPasses; i++) CHECK_EQ(passed[i], i);
}

TEST("four threads a direction on one SA lose nothing and keep each flow in order, with a window of 64") {
  for (const Encryption encryption :
       {Encryption::aesGcm16, Encryption::aesCbc, Encryption::chacha20Poly1305}) {
    constexpr std::uint32_t kBatches = 100;
    auto shared = std::make_unique<Shared>(std::make_shared<Mailbox>(), 8, kThreads);
    addInbound(*shared, 1, encryption);
    addOutbound(*shared, 1, encryption);
    Device device;
    drive(*shared, kBatches, device, [](auto) {});
    CHECK_EQ(sumOf(device.count), kThreads * kBatches * kPerBatch);
    CHECK_EQ(device.disorder.load(), 0);
    const auto sa = shared->in.with([](InboundCore& core) { return core.querySa(1); });
    CHECK_EQ(sa->counters.packets, kThreads * kBatches * kPerBatch);
    CHECK_EQ(sa->counters.replayDrops, 0);
    std::uint64_t counted = 0;
    for (const WorkerCounters& worker : shared->inCounters) counted += worker.packets;
    CHECK_EQ(counted, kThreads * kBatches * kPerBatch);
  }
}

TEST(
    "SAs that are rekeyed and deleted under four threads a direction lose no packet and free nothing in "
    "use") {
  constexpr std::uint32_t kBatches = 300;
  auto shared = std::make_unique<Shared>(std::make_shared<Mailbox>(), 8, kThreads);
  addInbound(*shared, 1, Encryption::aesGcm16);
  addOutbound(*shared, 1, Encryption::aesGcm16);
  Device device;
  std::uint32_t newest = 1;
  drive(*shared, kBatches, device, [&](auto running) {
    constexpr std::uint32_t kMaxSas = 10'000;
    // A few in any case: on a busy machine the threads may be through before this one has its turn.
    constexpr std::uint32_t kMinSas = 4;
    while (newest < kMinSas || (running() && newest < kMaxSas)) {
      newest++;
      const Encryption next = newest % 3 == 0 ? Encryption::aesCbc : Encryption::aesGcm16;
      addInbound(*shared, newest, next);
      addOutbound(*shared, newest, next);
      // The old one leaves sending at once; it receives until the threads are done, for that is what a peer
      // waits for.
      shared->out.with([&](OutboundCore& core) { core.deleteSa(newest - 1); });
      std::this_thread::yield();
    }
  });
  CHECK(newest > 2);
  CHECK_EQ(sumOf(device.count), kThreads * kBatches * kPerBatch);
  CHECK_EQ(device.disorder.load(), 0);
}

TEST("SAs that vanish on both sides under four threads leave every packet opened or counted") {
  constexpr std::uint32_t kBatches = 300;
  auto shared = std::make_unique<Shared>(std::make_shared<Mailbox>(), 8, kThreads);
  Device device;
  drive(*shared, kBatches, device, [&](auto running) {
    for (std::uint32_t id = 1; running() && id < 10'000; id++) {
      addInbound(*shared, id, Encryption::aesCbc);
      addOutbound(*shared, id, Encryption::aesCbc);
      std::this_thread::yield();
      deleteSa(*shared, id);
    }
  });
  const auto out = shared->out.with([](OutboundCore& core) { return core.stats(); });
  const auto in = shared->in.with([](InboundCore& core) { return core.stats(); });
  CHECK_EQ(out.packets + out.dropped, kThreads * kBatches * kPerBatch);
  CHECK_EQ(in.packets + in.dropped, out.packets);
  CHECK_EQ(sumOf(device.count), in.packets);
  CHECK_EQ(device.disorder.load(), 0);
}

}  // namespace
