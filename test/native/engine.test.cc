// A whole engine with its threads in a network namespace of its own: traffic in a circle through its device
// and its socket while another thread changes everything. What ThreadSanitizer is for; without it, that all
// threads end and the sums are right.
#include "engine/engine.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "check.h"
#include "net/fd.h"
#include "support.h"

namespace {

using namespace support;

constexpr std::uint32_t kMark = 4500;

void raiseLoopback() {
  const ike::Fd control(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP;
  CHECK_EQ(::ioctl(control.get(), SIOCSIFFLAGS, &request), 0);
}

/** Sends datagrams to what the tunnel's routes cover until it is stopped. */
void traffic(const std::atomic<bool>& stop, std::atomic<std::uint64_t>& sent) {
  const ike::Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
  const Bytes payload(500, 0x5a);
  for (std::uint16_t port = 1; !stop; port = static_cast<std::uint16_t>(port % 200 + 1)) {
    sockaddr_storage to{};
    const socklen_t length = ike::toSockaddr({v4(10, 2, 0, 1), port}, to);
    if (::sendto(socket.get(), payload.data(), payload.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                 length) > 0)
      sent++;
  }
}

void inOwnNamespace(void (*body)()) {
  if (::geteuid() != 0) SKIP("needs root: it makes a network namespace");
  if (::access("/dev/net/tun", R_OK | W_OK) != 0)
    SKIP("needs the TUN driver: /dev/net/tun is not there (modprobe tun)");
  std::optional<check::Failed> failed;
  // A thread, for the namespace ends with it.
  std::thread([&] {
    try {
      CHECK_EQ(::unshare(CLONE_NEWNET), 0);
      raiseLoopback();
      body();
    } catch (const check::Failed& failure) {
      failed = failure;
    }
  }).join();
  if (failed) throw *failed;
}

std::unique_ptr<ike::Engine> openEngine(const std::shared_ptr<ike::Mailbox>& mailbox) {
  ike::EngineConfig config;
  config.addresses = {v4(127, 0, 0, 1)};
  config.tunName = "ike0";
  config.mtuBytes = 1400;
  config.installRoutes = true;
  config.rule = {.table = 4500, .priority = 4500, .mark = kMark};
  config.heldPackets = 8;
  auto opened = ike::Engine::open(config, mailbox);
  if (!opened.ok()) check::fail(__FILE__, __LINE__, opened.failure().message);
  return std::move(opened.value());
}

/** Both ends of an SA from the engine to itself. */
void addCircle(ike::Engine& engine, std::uint32_t id, std::uint32_t spi) {
  const ike::Endpoint self{v4(127, 0, 0, 1), engine.nattPort()};
  for (const bool inbound : {true, false}) {
    ike::SaSpec spec = specOf(kGcm128, inbound, inbound ? id + 1 : id, spi, true, id);
    spec.local = spec.remote = self;
    CHECK(!engine.addSa(std::move(spec)));
  }
}

TEST(
    "traffic in both directions while SAs, policies and paths come and go: all threads end and the sums "
    "hold") {
  inOwnNamespace([] {
    const auto mailbox = std::make_shared<ike::Mailbox>();
    std::unique_ptr<ike::Engine> engine = openEngine(mailbox);
    const auto policy = [](ike::Policy::Kind kind) {
      auto made = policyOf(1, kind);
      made->remoteTs = {everything(false)};
      made->remoteTs[0].start = v4(10, 2, 0, 0);
      made->remoteTs[0].end = v4(10, 2, 255, 255);
      return made;
    };
    CHECK(!engine->addPolicy(policy(ike::Policy::Kind::trap)));
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> sent = 0;
    std::thread one([&] { traffic(stop, sent); });
    std::thread other([&] { traffic(stop, sent); });

    std::string wrong;
    try {
      const ike::Endpoint elsewhere{v4(127, 0, 0, 9), 9};
      const ike::Endpoint self{v4(127, 0, 0, 1), engine->nattPort()};
      std::uint64_t before = 0;
      std::uint32_t id = 2;
      for (std::uint32_t round = 0; round < 150 || (engine->stats().in.packets < 2000 && round < 5000);
           round++) {
        auto promised = engine->allocateSpi();
        CHECK(promised.ok());
        addCircle(*engine, id, promised.value());
        std::this_thread::sleep_for(std::chrono::milliseconds(round % 3));
        engine->updateSa(id, self, round % 2 == 0 ? elsewhere : self);
        engine->updateSa(id, self, self);
        CHECK(engine->querySa(id).has_value());
        const std::uint64_t now = engine->stats().out.packets;
        CHECK(now >= before);
        before = now;
        if (round % 4 == 0) engine->sendIke({self, self, true, Bytes(100, 1)});
        if (round % 5 == 0) {
          engine->deletePolicy(1);
          CHECK(!engine->addPolicy(
              policy(round % 2 == 0 ? ike::Policy::Kind::trap : ike::Policy::Kind::protect)));
        }
        // The one of the round before goes, while its packets are on their way.
        if (id > 2) {
          engine->deleteSa(id - 2);
          engine->deleteSa(id - 1);
        }
        id += 2;
        mailbox->take();
      }
    } catch (const check::Failed& failure) {
      wrong = failure.message;
    }
    stop = true;
    one.join();
    other.join();
    if (!wrong.empty()) throw check::Failed{wrong};
    const ike::Stats stats = engine->stats();
    CHECK(stats.in.packets >= 2000);
    CHECK(stats.in.packets <= stats.out.packets);
    CHECK(stats.out.packets <= sent);
    // Nobody forged anything and nobody sent anything twice.
    CHECK_EQ(dropped(stats.drops, ike::Drop::integrity), 0u);
    CHECK_EQ(dropped(stats.drops, ike::Drop::replay), 0u);
    CHECK_EQ(dropped(stats.drops, ike::Drop::malformed), 0u);
    engine->closeTunnel();
    CHECK(!engine->tunnelOpen() && engine->socketsOpen());
    engine->closeSockets();
  });
}

TEST("an engine is opened and closed again and again, with traffic, and leaves its device and port free") {
  inOwnNamespace([] {
    for (int round = 0; round < 20; round++) {
      const auto mailbox = std::make_shared<ike::Mailbox>();
      std::unique_ptr<ike::Engine> engine = openEngine(mailbox);
      CHECK(!engine->addPolicy(policyOf(1, ike::Policy::Kind::protect)));
      addCircle(*engine, 2, 0x1000);
      std::atomic<bool> stop = false;
      std::atomic<std::uint64_t> sent = 0;
      std::thread sender([&] { traffic(stop, sent); });
      for (int i = 0; i < 200 && engine->stats().in.packets == 0; i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::uint64_t came = engine->stats().in.packets;
      if (round % 2 == 0) engine->closeTunnel();
      engine.reset();
      stop = true;
      sender.join();
      CHECK(came > 0);
    }
  });
}

}  // namespace
