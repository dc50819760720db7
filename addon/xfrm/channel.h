// Both ways between us and the kernel's XFRM: requests, each with its answer, and the events that it tells by
// itself. A thread of its own sends and reads, for the kernel may load a module before it answers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/loop.h"
#include "net/netlink-message.h"
#include "net/netlink-reader.h"
#include "net/netlink-socket.h"
#include "xfrm/mailbox.h"
#include "xfrm/model.h"

namespace ike::xfrm {

/** How the kernel answers a request. */
enum class Reply {
  /** With its verdict alone. */
  verdict,
  /** With one SA, or a verdict. */
  sa,
  /** With SAs or policies in many parts. */
  dump
};

class Channel {
 public:
  /** Requests whose answers JavaScript has not taken. */
  static constexpr std::size_t kMaxRequests = 1 << 17;

  /** ERR_IKE_PRIVILEGE without CAP_NET_ADMIN; ERR_IKE_NO_XFRM where the kernel has no XFRM. */
  static Outcome<std::unique_ptr<Channel>> open(std::shared_ptr<Mailbox> mailbox);
  /** Ends the thread. What waits is answered with ECANCELED. */
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /** The number that the answer will have; 0: too many wait. Requests are dealt with in order. */
  std::uint32_t submit(NetlinkMessage message, Reply reply);
  /** Reads the SA, takes it away, and adds it at the new place (moved-sa.h). ENOTSUP where that is not to be.
   */
  std::uint32_t submitMove(const SaKey& key, const Path& path);
  /** JavaScript has taken so many answers. */
  void taken(std::size_t answers) noexcept { waiting_ -= answers; }

  /** By cause; any thread. */
  std::map<std::string, std::uint64_t> counts() const;

 private:
  friend class ike::Loop;

  struct Request {
    std::uint32_t sequence = 0;
    NetlinkMessage message;
    Reply reply = Reply::verdict;
    /** Of a move. */
    std::optional<std::pair<SaKey, Path>> move;
  };

  struct Pending {
    Request request;
    Answer answer;
    std::int64_t deadlineNs = 0;
    /** Of a dump. */
    int attempts = 1;
    bool interrupted = false;
    /** Of a move: what comes after the SA was taken away. */
    std::optional<NetlinkMessage> next;
  };

  enum Count : std::size_t { truncated, foreign, lostEvents, lostAnswers, unanswered, countsEnd };

  Channel(std::shared_ptr<Mailbox> mailbox, NetlinkSocket requests, NetlinkSocket events) noexcept
      : mailbox_(std::move(mailbox)), requests_(std::move(requests)), events_(std::move(events)) {}

  std::uint32_t enqueue(Request request);
  // The thread's.
  void ready(std::size_t index, bool broken);
  void woken();
  void tick(std::int64_t nowNs);
  void pump();
  void readAnswers();
  void readEvents();
  void take(const NetlinkPart& part);
  void takeDump(Pending& pending, const NetlinkPart& part);
  void takeMoving(Pending& pending, const NetlinkPart& part);
  /** Sends its message, for the first time or the next one; what fails is finished. */
  void send(Pending& pending);
  void finish(std::uint32_t sequence, int error);
  void count(Count what) noexcept { counts_[what].fetch_add(1, std::memory_order_relaxed); }

  std::shared_ptr<Mailbox> mailbox_;
  NetlinkSocket requests_;
  NetlinkSocket events_;
  std::atomic<std::size_t> waiting_ = 0;
  std::uint32_t lastSequence_ = 0;
  std::mutex mutex_;
  /** What the thread has not seen. */
  std::deque<Request> submitted_;
  std::array<std::atomic<std::uint64_t>, countsEnd> counts_{};

  std::deque<Request> backlog_;
  std::unordered_map<std::uint32_t, Pending> pending_;
  bool dumping_ = false;
  /** Last: it ends before what it works with. */
  Loop loop_;
};

}  // namespace ike::xfrm
