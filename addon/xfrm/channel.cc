// Few requests are under way at once, so that their answers fit into the socket; the kernel runs one dump a
// socket.
#include "xfrm/channel.h"

#include <linux/xfrm.h>

#include <cerrno>

#include "xfrm/moved-sa.h"
#include "xfrm/reply.h"
#include "xfrm/sa-request.h"

namespace ike::xfrm {
namespace {

constexpr NetlinkSocket::Protocol kProtocol{NETLINK_XFRM, "ERR_IKE_NO_XFRM", "NETLINK_XFRM socket"};
constexpr std::size_t kUnderWay = 64;
constexpr std::int64_t kPatienceNs = 10'000'000'000;
constexpr int kMaxDumpAttempts = 4;
constexpr std::size_t kMaxDumped = 1 << 20;
constexpr int kAnswerBytes = 1 << 20;
constexpr int kEventBytes = 8 << 20;

constexpr std::uint32_t group(unsigned number) { return 1u << (number - 1); }
constexpr std::uint32_t kGroups =
    group(XFRMNLGRP_ACQUIRE) | group(XFRMNLGRP_EXPIRE) | group(XFRMNLGRP_MAPPING) | group(XFRMNLGRP_REPORT);

}  // namespace

Outcome<std::unique_ptr<Channel>> Channel::open(std::shared_ptr<Mailbox> mailbox) {
  Outcome<NetlinkSocket> requests = NetlinkSocket::open(kProtocol, 0, kAnswerBytes);
  if (!requests.ok()) return std::move(requests.failure());
  Outcome<NetlinkSocket> events = NetlinkSocket::open(kProtocol, kGroups, kEventBytes);
  if (!events.ok()) return std::move(events.failure());
  std::unique_ptr<Channel> channel(
      new Channel(std::move(mailbox), std::move(requests.value()), std::move(events.value())));
  const int fds[] = {channel->requests_.fd(), channel->events_.fd()};
  if (Status status = channel->loop_.start({.name = "ike-xfrm"}, *channel, fds)) return std::move(*status);
  return channel;
}

Channel::~Channel() {
  loop_.stop();
  for (auto& [sequence, pending] : pending_) mailbox_->post(Answer{sequence, ECANCELED, {}, {}, {}});
  for (const auto* queue : {&backlog_, &submitted_})
    for (const Request& request : *queue) mailbox_->post(Answer{request.sequence, ECANCELED, {}, {}, {}});
}

std::uint32_t Channel::submit(NetlinkMessage message, Reply reply) {
  return enqueue({0, std::move(message), reply, std::nullopt});
}

std::uint32_t Channel::submitMove(const SaKey& key, const Path& path) {
  return enqueue({0, getSa(key), Reply::sa, std::pair(key, path)});
}

std::uint32_t Channel::enqueue(Request request) {
  if (waiting_ >= kMaxRequests) return 0;
  waiting_++;
  // 0 is what the kernel's own messages have.
  if (++lastSequence_ == 0) lastSequence_ = 1;
  request.sequence = lastSequence_;
  {
    const std::lock_guard lock(mutex_);
    submitted_.push_back(std::move(request));
  }
  loop_.wake();
  return lastSequence_;
}

std::map<std::string, std::uint64_t> Channel::counts() const {
  static constexpr const char* kNames[countsEnd] = {"truncated", "foreign", "lost-events", "lost-answers",
                                                    "unanswered"};
  std::map<std::string, std::uint64_t> result;
  for (std::size_t i = 0; i < countsEnd; i++) result[kNames[i]] = counts_[i].load(std::memory_order_relaxed);
  return result;
}

void Channel::woken() {
  {
    const std::lock_guard lock(mutex_);
    while (!submitted_.empty()) {
      backlog_.push_back(std::move(submitted_.front()));
      submitted_.pop_front();
    }
  }
  pump();
}

void Channel::ready(std::size_t index, bool) {
  // A socket that is full counts as broken, and says so when it is read.
  if (index == 0)
    readAnswers();
  else
    readEvents();
}

void Channel::tick(std::int64_t nowNs) {
  std::vector<std::uint32_t> overdue;
  for (const auto& [sequence, pending] : pending_)
    if (pending.deadlineNs < nowNs) overdue.push_back(sequence);
  for (const std::uint32_t sequence : overdue) {
    count(unanswered);
    finish(sequence, ETIMEDOUT);
  }
  pump();
}

void Channel::pump() {
  while (!backlog_.empty() && pending_.size() < kUnderWay) {
    if (backlog_.front().reply == Reply::dump && dumping_) return;
    Request request = std::move(backlog_.front());
    backlog_.pop_front();
    const std::uint32_t sequence = request.sequence;
    dumping_ = dumping_ || request.reply == Reply::dump;
    Pending& pending = pending_.try_emplace(sequence).first->second;
    pending.request = std::move(request);
    pending.answer.sequence = sequence;
    send(pending);
  }
}

void Channel::readAnswers() {
  using What = NetlinkSocket::Received::What;
  for (;;) {
    const NetlinkSocket::Received received = requests_.receive();
    if (received.what == What::nothing || received.what == What::failed) break;
    if (received.what == What::lost) count(lostAnswers);
    if (received.what == What::foreign) count(foreign);
    if (received.what != What::message) continue;
    NetlinkParts parts(received.bytes);
    while (const auto part = parts.next()) take(*part);
    if (parts.truncated()) count(truncated);
    // SAs come with their keys.
    requests_.wipe();
  }
  pump();
}

void Channel::readEvents() {
  using What = NetlinkSocket::Received::What;
  for (;;) {
    const NetlinkSocket::Received received = events_.receive();
    if (received.what == What::nothing || received.what == What::failed) return;
    if (received.what == What::foreign) count(foreign);
    if (received.what == What::lost) {
      count(lostEvents);
      mailbox_->post(Lost{});
    }
    if (received.what != What::message) continue;
    NetlinkParts parts(received.bytes);
    while (const auto part = parts.next()) {
      if (!isEvent(*part)) continue;
      if (std::optional<Event> event = readEvent(*part))
        mailbox_->post(std::move(*event));
      else
        count(truncated);
    }
    if (parts.truncated()) count(truncated);
  }
}

void Channel::take(const NetlinkPart& part) {
  const auto found = pending_.find(part.header.nlmsg_seq);
  if (found == pending_.end()) return count(foreign);
  Pending& pending = found->second;
  if (pending.request.move) return takeMoving(pending, part);
  if (const auto verdict = readVerdict(part)) {
    pending.answer.words = verdict->words;
    return finish(pending.request.sequence, verdict->error);
  }
  if (pending.request.reply == Reply::dump) return takeDump(pending, part);
  if (pending.request.reply == Reply::sa)
    if (std::optional<SaState> sa = readSa(part)) {
      pending.answer.sas.push_back(std::move(*sa));
      return finish(pending.request.sequence, 0);
    }
  count(truncated);
}

void Channel::takeDump(Pending& pending, const NetlinkPart& part) {
  // What was dumped has changed meanwhile: once more from the beginning.
  if ((part.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) pending.interrupted = true;
  Answer& answer = pending.answer;
  if (part.header.nlmsg_type != NLMSG_DONE) {
    if (answer.sas.size() + answer.policies.size() >= kMaxDumped) return;
    if (auto sa = readSa(part)) answer.sas.push_back(std::move(*sa));
    if (auto policy = readPolicy(part)) answer.policies.push_back(std::move(*policy));
    return;
  }
  if (std::exchange(pending.interrupted, false) && ++pending.attempts <= kMaxDumpAttempts) {
    answer.sas.clear();
    answer.policies.clear();
    return send(pending);
  }
  const auto error = structureAt<int>(part.body);
  finish(pending.request.sequence, error && *error < 0 ? -*error : 0);
}

void Channel::takeMoving(Pending& pending, const NetlinkPart& part) {
  const std::uint32_t sequence = pending.request.sequence;
  const auto verdict = readVerdict(part);
  if (verdict && (verdict->error != 0 || !pending.next)) {
    pending.answer.words = verdict->words;
    return finish(sequence, verdict->error);
  }
  if (verdict) {
    pending.request.message = *std::exchange(pending.next, std::nullopt);
    return send(pending);
  }
  const auto& [key, path] = *pending.request.move;
  std::optional<MovedSa> moved = moveSa(part, path);
  if (!moved) return finish(sequence, ENOTSUP);
  if (moved->portsOnly) {
    pending.request.message = std::move(moved->request);
  } else {
    pending.next = std::move(moved->request);
    pending.request.message = deleteSa(key);
  }
  send(pending);
}

void Channel::send(Pending& pending) {
  const std::uint32_t sequence = pending.request.sequence;
  pending.deadlineNs = steadyNs() + kPatienceNs;
  if (const int error = requests_.send(pending.request.message.finish(sequence))) finish(sequence, error);
}

void Channel::finish(std::uint32_t sequence, int error) {
  const auto found = pending_.find(sequence);
  if (found == pending_.end()) return;
  if (found->second.request.reply == Reply::dump) dumping_ = false;
  found->second.answer.error = error;
  mailbox_->post(std::move(found->second.answer));
  pending_.erase(found);
}

}  // namespace ike::xfrm
