// Messages of netlink: what is written is read back, bounds hold, and the channel to XFRM answers each
// request once, in any order of ends: by the kernel where it has XFRM.
#include <netinet/in.h>

#include <linux/xfrm.h>

#include <sched.h>

#include <condition_variable>
#include <cstring>
#include <thread>

#include "check.h"
#include "net/netlink-message.h"
#include "net/netlink-reader.h"
#include "xfrm/channel.h"
#include "xfrm/mailbox.h"
#include "xfrm/policy-request.h"
#include "xfrm/sa-request.h"

namespace {

using namespace ike;

std::span<const std::uint8_t> bytesOf(const char* text) {
  return {reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)};
}

TEST("what is written into a netlink message is read out of it, nested and padded") {
  NetlinkMessage message(77, NLM_F_ACK);
  message.append(std::uint32_t{5});
  message.attribute(1, bytesOf("odd"));
  const std::size_t outer = message.begin(2);
  message.attribute(3, std::uint32_t{7});
  message.attribute(4, bytesOf("longer than four"));
  message.end(outer);
  const auto bytes = message.finish(9);
  CHECK_EQ(bytes.size() % 4, 0);

  NetlinkParts parts(bytes);
  const auto part = parts.next();
  CHECK(part.has_value());
  CHECK(!parts.next().has_value());
  CHECK(!parts.truncated());
  CHECK_EQ(part->header.nlmsg_seq, 9);
  CHECK_EQ(part->header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
  const auto attributes = attributesBehind<std::uint32_t>(*part);
  CHECK_EQ(attributes.find(1)->size(), 3);
  const NetlinkAttributes nested(*attributes.find(2));
  CHECK_EQ(*nested.get<std::uint32_t>(3), 7);
  CHECK(std::ranges::equal(*nested.find(4), bytesOf("longer than four")));
  CHECK(!attributes.find(9).has_value());
}

TEST("a message that outgrows its room is whole") {
  NetlinkMessage message(1, 0);
  for (std::uint32_t i = 0; i < 2000; i++) message.append(i);
  const auto bytes = message.finish(1);
  CHECK_EQ(bytes.size(), sizeof(nlmsghdr) + 8000);
  for (std::uint32_t i = 0; i < 2000; i++)
    CHECK_EQ(*structureAt<std::uint32_t>(bytes, sizeof(nlmsghdr) + 4 * i), i);
}

TEST("an attribute whose length lies ends the walk") {
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 3, 9, 0xffff}) {
    std::vector<std::uint8_t> bytes(8);
    const nlattr header{length, 1};
    std::memcpy(bytes.data(), &header, sizeof header);
    CHECK(!NetlinkAttributes(bytes).find(1).has_value());
    CHECK(!NetlinkAttributes(bytes).find(2).has_value());
  }
}

/** Collects what the channel tells, and waits for it. */
struct Listener {
  std::shared_ptr<xfrm::Mailbox> mailbox = std::make_shared<xfrm::Mailbox>();
  std::mutex mutex;
  std::condition_variable came;
  bool rung = false;
  std::vector<xfrm::Answer> answers;

  Listener() {
    mailbox->setWake([this] {
      const std::lock_guard lock(mutex);
      rung = true;
      came.notify_one();
    });
  }

  void waitFor(std::size_t count) {
    while (answers.size() < count) {
      {
        std::unique_lock lock(mutex);
        CHECK(came.wait_for(lock, std::chrono::seconds(20), [this] { return rung; }));
        rung = false;
      }
      for (xfrm::Answer& answer : mailbox->take().answers) answers.push_back(std::move(answer));
    }
  }
};

/** A block of nothing that anybody sends: it can be added, looked at and removed on any host. */
xfrm::Policy policyFor(std::uint8_t host) {
  const std::uint8_t from[] = {203, 0, 113, host};
  const std::uint8_t to[] = {203, 0, 113, 0};
  xfrm::Policy policy;
  policy.key.selector.source = Address::from(from);
  policy.key.selector.destination = Address::from(to);
  policy.key.selector.sourceBits = policy.key.selector.destinationBits = 32;
  policy.block = true;
  policy.priority = 0x7fff0000u + host;
  return policy;
}

/** In a network namespace of its own, which goes with the channel's sockets. */
std::unique_ptr<xfrm::Channel> openChannel(Listener& listener) {
  std::unique_ptr<xfrm::Channel> channel;
  std::string missing;
  std::thread([&] {
    // A namespace is a thread's.
    if (::unshare(CLONE_NEWNET) != 0) {
      missing = "needs root: it makes a network namespace";
      return;
    }
    auto opened = xfrm::Channel::open(listener.mailbox);
    if (opened.ok())
      channel = std::move(opened.value());
    else
      missing = opened.failure().message;
  }).join();
  if (channel == nullptr) SKIP(missing);
  return channel;
}

TEST("a thousand requests at once are each answered once, dumps among them") {
  Listener listener;
  const auto channel = openChannel(listener);
  std::vector<std::uint32_t> added;
  std::vector<std::uint32_t> dumped;
  std::vector<std::uint32_t> unknown;
  for (int round = 0; round < 5; round++)
    for (int host = 1; host <= 50; host++) {
      const xfrm::Policy policy = policyFor(static_cast<std::uint8_t>(host));
      added.push_back(channel->submit(xfrm::setPolicy(policy), xfrm::Reply::verdict));
      if (host % 10 == 0) dumped.push_back(channel->submit(xfrm::dumpPolicies(), xfrm::Reply::dump));
      added.push_back(channel->submit(xfrm::deletePolicy(policy.key), xfrm::Reply::verdict));
      unknown.push_back(channel->submit(xfrm::deletePolicy(policy.key), xfrm::Reply::verdict));
    }
  listener.waitFor(added.size() + dumped.size() + unknown.size());
  const auto answerOf = [&](std::uint32_t sequence) -> const xfrm::Answer& {
    const auto same = [&](const xfrm::Answer& answer) { return answer.sequence == sequence; };
    CHECK_EQ(std::ranges::count_if(listener.answers, same), 1);
    return *std::ranges::find_if(listener.answers, same);
  };
  for (const std::uint32_t sequence : added) CHECK_EQ(answerOf(sequence).error, 0);
  for (const std::uint32_t sequence : unknown) CHECK_EQ(answerOf(sequence).error, ENOENT);
  for (const std::uint32_t sequence : dumped) {
    CHECK_EQ(answerOf(sequence).error, 0);
    // Requests are dealt with in order: what was added before is there, and what was removed before is not.
    const auto& policies = answerOf(sequence).policies;
    CHECK_EQ(
        std::ranges::count_if(policies, [](const auto& policy) { return policy.priority >= 0x7fff0000u; }),
        1);
  }
  CHECK_EQ(channel->counts().at("foreign"), 0);
}

TEST("what is not answered when the channel ends is answered with ECANCELED") {
  Listener listener;
  auto channel = openChannel(listener);
  for (int i = 0; i < 500; i++) CHECK(channel->submit(xfrm::dumpPolicies(), xfrm::Reply::dump) != 0);
  channel.reset();
  listener.waitFor(500);
  CHECK_EQ(listener.answers.size(), 500);
  for (const xfrm::Answer& answer : listener.answers) CHECK(answer.error == 0 || answer.error == ECANCELED);
}

TEST("the kernel's words come with its refusal") {
  Listener listener;
  const auto channel = openChannel(listener);
  xfrm::Sa sa;
  const std::uint8_t nowhere[] = {203, 0, 113, 1};
  sa.key = {Address::from(nowhere), Address::from(nowhere), IPPROTO_ESP, 0xd0001000, {}};
  sa.aead = xfrm::Algorithm{"rfc4106(gcm(unheard))", Secret(std::vector<std::uint8_t>(20, 1)), 128};
  channel->submit(xfrm::addSa(sa, false), xfrm::Reply::verdict);
  channel->submit(xfrm::getSa(sa.key), xfrm::Reply::sa);
  channel->submitMove(sa.key, {Address::from(nowhere), Address::from(nowhere), std::nullopt});
  listener.waitFor(3);
  CHECK(listener.answers[0].error != 0);
  CHECK_EQ(listener.answers[1].error, ESRCH);
  CHECK_EQ(listener.answers[2].error, ESRCH);
}

TEST("events past the bound become one that says so") {
  xfrm::Mailbox mailbox;
  for (std::size_t i = 0; i < 2 * xfrm::Mailbox::kMaxEvents; i++) mailbox.post(xfrm::Event(xfrm::Expire{}));
  const auto contents = mailbox.take();
  CHECK_EQ(contents.events.size(), xfrm::Mailbox::kMaxEvents + 1);
  CHECK(std::holds_alternative<xfrm::Lost>(contents.events.back()));
  CHECK(std::holds_alternative<xfrm::Expire>(contents.events.front()));
}

}  // namespace
