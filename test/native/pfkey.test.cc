// Messages of PF_KEY. What the kernel said was kept from Linux 6.1 (user-mode-linux), asked by a Python
// script that shares no code with this; what is built here that kernel takes, where the test runs on one.
#include <linux/ipsec.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "net/fd.h"
#include "pfkey/policy-request.h"
#include "pfkey/reply.h"
#include "pfkey/sa-request.h"

namespace {

using namespace ike;
using namespace ike::pfkey;

using Bytes = std::vector<std::uint8_t>;

constexpr const char* kRegister =
    "020700031100000001000000eb02000008000e0000000000fb0000000000000002008000800000000300a000a0000000"
    "050000010001000006008001800100000700000200020000090080008000000007000f00000000000b00000000000000"
    "02084000400000000308c000c00000000c0880000001000016088000000100000d08a00020010000";
constexpr const char* kGetWithEncapsulation =
    "020500032500000022000000eb02000002000100000020012001030c0000000004000300000000000000000000000000"
    "000000000000000000000000000000000400040000000000000000000000000000000000000000000000000000000000"
    "04000200000000000000000000000000aca3096b000000000000000000000000030005000020000002000000c0000201"
    "0000000000000000030006000020000002000000c0000202000000000000000003000700ff0000000200000000000000"
    "000000000000000004000800a00000000102030405060708090a0b0c0d0e0f1011121314000000000300090080000000"
    "0102030405060708090a0b0c0d0e0f100200130002000000000000000700000001001400020000000100150011940000"
    "0100160012a90000";
constexpr const char* kPolicy =
    "020e00001c00030024000000eb02000003000500ff100000020000000a010000000000000000000003000600ff180000"
    "020000000a02070000000000000000000400030000000000000000000000000000000000000000000000000000000000"
    "040004000000000000000000000000000000000000000000000000000000000004000200000000000000000000000000"
    "aca3096b0000000000000000000000000800120002000200010000006400000030003200020300004d00000000000000"
    "02000000c0000201000000000000000002000000c00002020000000000000000";
constexpr const char* kBlock =
    "020e00001600030028000000eb02000003000500ff100000020000000a090000000000000000000003000600ff100000"
    "020000000a02000000000000000000000400030000000000000000000000000000000000000000000000000000000000"
    "040004000000000000000000000000000000000000000000000000000000000004000200000000000000000000000000"
    "aca3096b000000000000000000000000020012000000030022000000c8000000";
constexpr const char* kRefused = "020326030200000014000000eb020000";
constexpr const char* kReservedSpi =
    "020100031800000003000000eb02000002000100ceec2bc3000000000000000004000300000000000000000000000000"
    "1e0000000000000000000000000000000400040000000000000000000000000000000000000000000000000000000000"
    "04000200000000000000000000000000aba3096b000000000000000000000000030005000020000002000000c0000202"
    "0000000000000000030006000020000002000000c0000201000000000000000002001300020000000000000005000000";

Bytes bytesOf(const char* hex) {
  Bytes bytes;
  for (const std::string text = hex; 2 * bytes.size() < text.size();)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(2 * bytes.size(), 2), nullptr, 16)));
  return bytes;
}

Address address(std::initializer_list<std::uint8_t> bytes) { return Address::from(Bytes(bytes)); }

const SaKey kKey{address({192, 0, 2, 1}), address({192, 0, 2, 2}), IPPROTO_ESP, 0x2001, {}};

Sa cbcSa() {
  Sa sa;
  sa.key = kKey;
  sa.reqid = 7;
  sa.cipher = {SADB_X_EALG_AESCBC, Secret(Bytes(16, 1))};
  sa.integrity = {SADB_AALG_SHA1HMAC, Secret(Bytes(20, 2))};
  sa.replayWindow = kMaxReplayWindow;
  sa.limits = {900'000, 1'000'000, 900, 1000, 3000, 3600};
  sa.encapsulation = Encapsulation{2, 4500, 4777};
  return sa;
}

Policy tunnelPolicy() {
  Policy policy;
  policy.key.direction = Direction::out;
  policy.key.selector = {address({10, 1, 0, 0}), address({10, 2, 7, 0}), 16, 24, 0, 0, 0, 0, 0};
  policy.priority = 100;
  policy.templates = {{IPPROTO_ESP, Mode::tunnel, kKey.source, kKey.destination, 77}};
  return policy;
}

void checkPolicy(const Policy& policy) {
  const Policy wanted = tunnelPolicy();
  CHECK_EQ(policy.key.direction, wanted.key.direction);
  CHECK(policy.key.selector.source == wanted.key.selector.source);
  CHECK(policy.key.selector.destination == wanted.key.selector.destination);
  CHECK_EQ(policy.key.selector.sourceBits, 16);
  CHECK_EQ(policy.key.selector.destinationBits, 24);
  CHECK_EQ(policy.key.selector.protocol, 0);
  CHECK_EQ(policy.priority, 100);
  CHECK(!policy.block);
  CHECK_EQ(policy.templates.size(), 1);
  CHECK_EQ(policy.templates[0].reqid, 77);
  CHECK_EQ(policy.templates[0].mode, Mode::tunnel);
  CHECK(policy.templates[0].source == kKey.source && policy.templates[0].destination == kKey.destination);
}

TEST("the kernel's algorithms are read: no AEAD is among them") {
  const Bytes bytes = bytesOf(kRegister);
  const auto reading = Reading::of(bytes);
  CHECK(reading.has_value());
  std::vector<std::uint8_t> ciphers;
  for (const Supported& one : readSupported(*reading, SADB_EXT_SUPPORTED_ENCRYPT))
    ciphers.push_back(one.number);
  CHECK_EQ(ciphers, (std::vector<std::uint8_t>{11, 2, 3, 12, 22, 13}));
  const auto checks = readSupported(*reading, SADB_EXT_SUPPORTED_AUTH);
  CHECK_EQ(checks.size(), 7);
  CHECK_EQ(checks[3].number, SADB_X_AALG_SHA2_256HMAC);
  CHECK_EQ(checks[3].minKeyBits, 256);
}

TEST("an SA as the kernel shows it is read") {
  const Bytes bytes = bytesOf(kGetWithEncapsulation);
  const auto sa = readSa(*Reading::of(bytes));
  CHECK(sa.has_value());
  CHECK(sa->key.source == kKey.source && sa->key.destination == kKey.destination);
  CHECK_EQ(sa->key.spi, 0x2001);
  CHECK_EQ(sa->key.protocol, IPPROTO_ESP);
  CHECK_EQ(sa->reqid, 7);
  CHECK_EQ(sa->mode, static_cast<int>(Mode::tunnel));
  CHECK(!sa->larval);
  const Bytes reserved = bytesOf(kReservedSpi);
  const auto larval = readSa(*Reading::of(reserved));
  CHECK(larval.has_value() && larval->larval);
  CHECK_EQ(larval->key.spi >> 28, 0xc);
}

TEST("policies as the kernel shows them are read") {
  const Bytes bytes = bytesOf(kPolicy);
  const auto policy = readPolicy(*Reading::of(bytes));
  CHECK(policy.has_value());
  checkPolicy(*policy);
  CHECK(policy->index != 0);
  const Bytes blocking = bytesOf(kBlock);
  const auto block = readPolicy(*Reading::of(blocking));
  CHECK(block.has_value() && block->block && block->templates.empty());
}

TEST("a refusal is a header with its errno") {
  const Bytes bytes = bytesOf(kRefused);
  CHECK_EQ(Reading::of(bytes)->header().sadb_msg_errno, ENOSYS);
}

TEST("a message cut short anywhere, or with an extension of no length, says nothing") {
  for (const char* const text : {kRegister, kGetWithEncapsulation, kPolicy}) {
    const Bytes bytes = bytesOf(text);
    for (std::size_t length = 0; length < bytes.size(); length++)
      CHECK(!Reading::of(std::span(bytes).first(length)).has_value());
    Bytes stuck = bytes;
    stuck[16] = stuck[17] = 0;
    CHECK(!Reading::of(stuck).has_value());
  }
}

TEST("what is built is read back") {
  Message add = addSa(cbcSa(), false);
  const auto reading = Reading::of(add.finish(5, 6));
  CHECK(reading.has_value());
  CHECK_EQ(reading->header().sadb_msg_seq, 5);
  CHECK_EQ(reading->header().sadb_msg_pid, 6);
  const auto sa = readSa(*reading);
  CHECK(sa.has_value());
  CHECK_EQ(sa->limits.hardPackets, 1000);
  CHECK_EQ(sa->limits.softSeconds, 3000);
  Message set = setPolicy(tunnelPolicy());
  const auto policy = readPolicy(*Reading::of(set.finish(1, 2)));
  CHECK(policy.has_value());
  checkPolicy(*policy);
}

TEST("selectors that PF_KEY has no words for are told apart") {
  PolicyKey key = tunnelPolicy().key;
  CHECK(expressible(key));
  key.selector.destinationPort = 80;
  key.selector.destinationPortMask = 0xffff;
  CHECK(expressible(key));
  key.selector.destinationPortMask = 0xfff0;
  CHECK(!expressible(key));
  key.selector = tunnelPolicy().key.selector;
  key.mark = xfrm::Mark{1, 1};
  CHECK(!expressible(key));
}

/** Asks and gives back the answer. */
Bytes ask(const Fd& fd, Message message, std::uint32_t sequence) {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  const auto request = message.finish(sequence, pid);
  CHECK_EQ(::send(fd.get(), request.data(), request.size(), 0), request.size());
  for (;;) {
    Bytes bytes(65536);
    const ssize_t got = ::recv(fd.get(), bytes.data(), bytes.size(), 0);
    CHECK(got > 0);
    bytes.resize(static_cast<std::size_t>(got));
    const auto reading = Reading::of(bytes);
    CHECK(reading.has_value());
    if (reading->header().sadb_msg_seq == sequence && reading->header().sadb_msg_pid == pid) return bytes;
  }
}

TEST("a kernel with PF_KEY takes each request and shows what was asked") {
  const Fd fd(::socket(PF_KEY, SOCK_RAW, PF_KEY_V2));
  if (fd.get() < 0) SKIP("this kernel has no PF_KEY, or we are not root");
  std::uint32_t sequence = 0;
  const auto errnoOf = [&](Message message) {
    const Bytes answer = ask(fd, std::move(message), ++sequence);
    return int{Reading::of(answer)->header().sadb_msg_errno};
  };
  CHECK_EQ(errnoOf(registerFor(IPPROTO_ESP)), 0);
  CHECK_EQ(errnoOf(addSa(cbcSa(), false)), 0);
  CHECK_EQ(errnoOf(addSa(cbcSa(), false)), EEXIST);
  CHECK_EQ(errnoOf(addSa(cbcSa(), true)), 0);
  const Bytes shown = ask(fd, getSa(kKey), ++sequence);
  const auto sa = readSa(*Reading::of(shown));
  CHECK(sa.has_value());
  CHECK_EQ(sa->limits.softBytes, 900'000);
  CHECK_EQ(sa->limits.hardPackets, 1000);
  const Bytes policyShown = ask(fd, setPolicy(tunnelPolicy()), ++sequence);
  checkPolicy(*readPolicy(*Reading::of(policyShown)));
  CHECK_EQ(errnoOf(deletePolicy(tunnelPolicy().key)), 0);
  const Bytes spi = ask(fd, allocateSpi({kKey, Mode::tunnel, 7, 0}), ++sequence);
  const auto reserved = readSa(*Reading::of(spi));
  CHECK(reserved.has_value() && reserved->larval);
  Sa taken = cbcSa();
  taken.key.spi = reserved->key.spi;
  CHECK_EQ(errnoOf(addSa(taken, true)), 0);
  CHECK_EQ(errnoOf(deleteSa(taken.key)), 0);
  CHECK_EQ(errnoOf(deleteSa(kKey)), 0);
  Sa null = cbcSa();
  null.cipher = {SADB_EALG_NULL, {}};
  CHECK_EQ(errnoOf(addSa(null, false)), 0);
  CHECK_EQ(errnoOf(deleteSa(kKey)), 0);
  CHECK_EQ(errnoOf(deleteSa(kKey)), ESRCH);
}

}  // namespace
