// The table of path MTUs and the limits made of it, with a kernel that says what the test wants.
#include <thread>

#include "check.h"
#include "path-packets.h"
#include "path/path-mtu.h"

namespace {

using ike::Address;
using ike::PathMtu;
using packets::Bytes;

constexpr std::int64_t kSecondNs = 1'000'000'000;

std::atomic<std::size_t> answerBytes = 1500;
std::atomic<std::size_t> questions = 0;

std::size_t kernel(const Address&, std::uint32_t) noexcept {
  questions++;
  return answerBytes;
}

const Address kPeer = Address::from(Bytes{192, 0, 2, 2});
const Address kOther = Address::from(Bytes{192, 0, 2, 3});
const Address kPeer6 = Address::from(Bytes{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});

TEST("RFC 1191 §6.3: what ICMP said holds for ten minutes, then the kernel's value counts again") {
  answerBytes = 1500;
  PathMtu paths(0, kernel);
  std::int64_t now = 100 * kSecondNs;
  CHECK_EQ(paths.to(kPeer, now), 1500u);
  const std::uint64_t version = paths.version();
  paths.learn(kPeer, 1300, now);
  CHECK(paths.version() != version);
  CHECK_EQ(paths.to(kPeer, now), 1300u);
  // A larger one meanwhile is not news.
  paths.learn(kPeer, 1400, now + kSecondNs);
  CHECK_EQ(paths.to(kPeer, now + 599 * kSecondNs), 1300u);
  CHECK_EQ(paths.to(kPeer, now + 700 * kSecondNs), 1500u);
}

TEST("RFC 1122 §3.3.3, RFC 8200 §5: less than 576 and 1280 is not believed, of ICMP or of the kernel") {
  answerBytes = 1500;
  PathMtu paths(0, kernel);
  CHECK_EQ(paths.to(kPeer, 1), 1500u);
  CHECK_EQ(paths.to(kPeer6, 1), 1500u);
  paths.learn(kPeer, 68, 2);
  paths.learn(kPeer6, 68, 2);
  CHECK_EQ(paths.to(kPeer, 3), 576u);
  CHECK_EQ(paths.to(kPeer6, 3), 1280u);
  answerBytes = 100;
  CHECK_EQ(paths.to(kOther, 3), 576u);
}

TEST("a peer that nobody has an SA with teaches nothing and takes no memory") {
  answerBytes = 1500;
  PathMtu paths(0, kernel);
  for (std::uint8_t i = 0; i < 200; i++) paths.learn(Address::from(Bytes{198, 51, 100, i}), 600, 1);
  CHECK_EQ(paths.peers(), 0u);
  CHECK_EQ(paths.to(Address::from(Bytes{198, 51, 100, 7}), 2), 1500u);
}

TEST("a refused packet asks the kernel, which knows the new route; else it is asked once a minute") {
  answerBytes = 1500;
  PathMtu paths(0, kernel);
  std::int64_t now = kSecondNs;
  CHECK_EQ(paths.to(kPeer, now), 1500u);
  answerBytes = 1400;
  questions = 0;
  for (int i = 0; i < 50; i++) CHECK_EQ(paths.to(kPeer, now += kSecondNs), 1500u);
  CHECK_EQ(questions.load(), 0u);
  paths.learn(kPeer, 0, now);
  CHECK_EQ(paths.to(kPeer, now), 1400u);
  answerBytes = 9000;
  CHECK_EQ(paths.to(kPeer, now + 61 * kSecondNs), 9000u);
}

TEST("a peer without a route has the length of Ethernet") {
  answerBytes = 0;
  PathMtu paths(0, kernel);
  CHECK_EQ(paths.to(kPeer, 1), PathMtu::kUnknownBytes);
}

TEST("the table is bounded: full of peers in use it remembers no more, and those unused make room") {
  answerBytes = 1500;
  PathMtu paths(0, kernel);
  std::int64_t now = kSecondNs;
  const auto peer = [](std::size_t i) {
    Bytes bytes(16, 0);
    bytes[0] = 0x20;
    for (std::size_t b = 0; b < 4; b++) bytes[12 + b] = static_cast<std::uint8_t>(i >> (24 - 8 * b));
    return Address::from(bytes);
  };
  for (std::size_t i = 0; i < PathMtu::kMaxPeers + 100; i++) CHECK_EQ(paths.to(peer(i), now), 1500u);
  CHECK_EQ(paths.peers(), PathMtu::kMaxPeers);
  now += 10 * 60 * kSecondNs;
  for (std::size_t i = 0; i < 10; i++) paths.to(peer(i), now);
  CHECK_EQ(paths.to(kPeer, now), 1500u);
  CHECK_EQ(paths.peers(), 11u);
}

TEST("many threads ask and learn at once, and all end with the smallest value") {
  answerBytes = 1500;
  PathMtu paths(0, kernel);
  paths.to(kPeer, 1);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; t++)
    threads.emplace_back([&paths, t] {
      for (std::size_t i = 0; i < 2000; i++) {
        if (i % 100 == t) paths.learn(kPeer, 1400 - i / 10, 2);
        paths.to(i % 2 == 0 ? kPeer : kOther, 2);
      }
    });
  for (std::thread& thread : threads) thread.join();
  // The smallest i / 10 that any thread learned: 190 at i = 1900 to 1903.
  CHECK_EQ(paths.to(kPeer, 3), 1400u - 190u);
}

TEST("the kernel knows loopback's MTU") {
  CHECK_EQ(ike::kernelPathMtu(Address::from(Bytes{127, 0, 0, 1}), 0), 65535u);
}

}  // namespace
