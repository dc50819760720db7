// A capture file that tshark and tcpdump read: classic pcap of whole IP packets (LINKTYPE_RAW), written by
// any thread while it is open, bounded in size. For a look at what passes; nobody pays for it while it is
// closed.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "net/address.h"
#include "net/outcome.h"

namespace ike {

class Capture {
 public:
  struct Limits {
    /** The file never becomes longer; what comes then is counted only. */
    std::uint64_t maxBytes;
    /** Of each packet at most. */
    std::uint32_t snapBytes;
  };
  struct Counts {
    std::uint64_t packets = 0;
    std::uint64_t missed = 0;
  };

  /** Asked for before anything is gathered for `packet` or `datagram`. */
  bool active() const noexcept { return active_.load(std::memory_order_relaxed); }

  /** Makes the file, readable by its owner only; one that is there already is refused. */
  Status open(const std::string& path, const Limits& limits);
  /** Finishes the file; what was written to it. Closed already: zeros. */
  Counts close() noexcept;

  void packet(std::span<const std::uint8_t> bytes) noexcept;
  /** What a UDP datagram carried, under IP and UDP headers made for it. */
  void datagram(const Endpoint& source, const Endpoint& destination, std::span<const std::uint8_t> payload,
                std::uint8_t tos) noexcept;

 private:
  struct Closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  /** A packet in two pieces. */
  void record(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) noexcept;

  std::atomic<bool> active_ = false;
  std::mutex mutex_;
  std::unique_ptr<std::FILE, Closer> file_;
  Limits limits_{};
  std::uint64_t written_ = 0;
  Counts counts_;
};

}  // namespace ike
