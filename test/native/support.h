// What the C++ tests and the fuzz targets need in common: every suite with keys, SAs and policies for
// everything, inner packets, and memory for them that ends where a packet's room ends, so that
// AddressSanitizer sees one byte too many.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/mailbox.h"
#include "esp/packet.h"
#include "esp/sa.h"
#include "net/checksum.h"
#include "policy/selector.h"
#include "policy/spd.h"

namespace ike {
class InboundWork;
class OutboundWork;
}  // namespace ike

namespace support {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::int64_t kSecondNs = 1'000'000'000;

/** Algorithms of an SA as transform ids, with the lengths of their keys. */
struct SuiteChoice {
  ike::Encryption encryption;
  std::size_t keyBytes;
  ike::Integrity integrity = ike::Integrity::none;
  std::size_t integrityKeyBytes = 0;
  const char* kernel = "";
};

/** Every suite that the engine has, AES-GCM by its fastest kernel and by OpenSSL. */
inline const std::vector<SuiteChoice>& allSuites() {
  using ike::Encryption;
  using ike::Integrity;
  static const std::vector<SuiteChoice> suites = [] {
    std::vector<SuiteChoice> all;
    for (const std::size_t key : {16u, 24u, 32u}) {
      for (const auto id :
           {Encryption::aesGcm8, Encryption::aesGcm12, Encryption::aesGcm16, Encryption::aesGmac})
        for (const char* const kernel : {"", ike::kGcmByEvp})
          all.push_back({id, key + 4, Integrity::none, 0, kernel});
      for (const auto id : {Encryption::aesCcm8, Encryption::aesCcm12, Encryption::aesCcm16})
        all.push_back({id, key + 3});
    }
    all.push_back({Encryption::chacha20Poly1305, 36});
    const std::pair<Integrity, std::size_t> macs[] = {
        {Integrity::sha1_96, 20},    {Integrity::xcbc_96, 16},    {Integrity::cmac_96, 16},
        {Integrity::sha256_128, 32}, {Integrity::sha384_192, 48}, {Integrity::sha512_256, 64}};
    const std::pair<Encryption, std::size_t> ciphers[] = {
        {Encryption::null, 0},    {Encryption::tripleDes, 24}, {Encryption::aesCbc, 16},
        {Encryption::aesCbc, 24}, {Encryption::aesCbc, 32},    {Encryption::aesCtr, 20},
        {Encryption::aesCtr, 28}, {Encryption::aesCtr, 36}};
    for (const auto& [cipher, key] : ciphers)
      for (const auto& [mac, macKey] : macs) all.push_back({cipher, key, mac, macKey});
    return all;
  }();
  return suites;
}

/** The suite that tests use when any will do. */
inline const SuiteChoice kGcm128{ike::Encryption::aesGcm16, 20};

inline ike::Secret secretOf(std::size_t lengthBytes, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(lengthBytes);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return ike::Secret(bytes);
}

/** The same keys for the same seed. */
inline ike::SuiteKeys keysOf(const SuiteChoice& choice, bool esn, std::uint32_t seed = 1) {
  ike::SuiteKeys keys;
  keys.encryption = choice.encryption;
  keys.encryptionKey = secretOf(choice.keyBytes, seed);
  keys.integrity = choice.integrity;
  keys.integrityKey = secretOf(choice.integrityKeyBytes, seed + 1);
  keys.esn = esn;
  keys.gcmKernel = choice.kernel;
  return keys;
}

inline ike::Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return ike::Address::from(Bytes{a, b, c, d});
}

/** All packets of one family. */
inline ike::Selector everything(bool v6) {
  const std::size_t length = v6 ? 16 : 4;
  ike::Selector all;
  all.start = ike::Address::from(Bytes(length, 0));
  all.end = ike::Address::from(Bytes(length, 0xff));
  return all;
}
inline std::vector<ike::Selector> everything() { return {everything(false), everything(true)}; }

inline const ike::Endpoint kLocal{v4(192, 0, 2, 1), 4500};
inline const ike::Endpoint kRemote{v4(192, 0, 2, 2), 4500};

/** One direction of an SA for everything, in tunnel mode in UDP. */
inline ike::SaSpec specOf(const SuiteChoice& choice, bool inbound, std::uint32_t id, std::uint32_t spi,
                          bool esn = false, std::uint32_t seed = 1) {
  ike::SaSpec spec;
  spec.id = id;
  spec.inbound = inbound;
  spec.spi = spi;
  spec.policyId = 1;
  spec.local = kLocal;
  spec.remote = kRemote;
  spec.keys = keysOf(choice, esn, seed);
  spec.replayWindow = inbound ? 64 : 0;
  spec.localTs = everything();
  spec.remoteTs = everything();
  return spec;
}

inline std::unique_ptr<ike::Policy> policyOf(std::uint32_t id, ike::Policy::Kind kind,
                                             std::uint32_t priority = 10) {
  auto policy = std::make_unique<ike::Policy>();
  policy->id = id;
  policy->kind = kind;
  policy->priority = priority;
  policy->localTs = everything();
  policy->remoteTs = everything();
  return policy;
}

inline void put16(Bytes& bytes, std::size_t offset, std::size_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}

/** An IP header before `upper`, from 10.1.0.1 to 10.2.0.1 or from fd01::1 to fd02::1. */
inline Bytes ipPacket(bool v6, std::uint8_t protocol, std::span<const std::uint8_t> upper,
                      std::uint16_t ipId = 1) {
  Bytes packet(v6 ? 40 : 20);
  if (v6) {
    packet[0] = 0x60;
    put16(packet, 4, upper.size());
    packet[6] = protocol;
    packet[7] = 64;
    for (const std::size_t side : {0u, 1u}) {
      packet[8 + side * 16] = 0xfd;
      packet[9 + side * 16] = static_cast<std::uint8_t>(side + 1);
      packet[23 + side * 16] = 1;
    }
  } else {
    packet[0] = 0x45;
    put16(packet, 2, 20 + upper.size());
    put16(packet, 4, ipId);
    packet[6] = 0x40;
    packet[8] = 64;
    packet[9] = protocol;
    for (const std::size_t side : {0u, 1u}) {
      packet[12 + side * 4] = 10;
      packet[13 + side * 4] = static_cast<std::uint8_t>(side + 1);
      packet[15 + side * 4] = 1;
    }
    ike::sealIpv4Header(packet);
  }
  packet.insert(packet.end(), upper.begin(), upper.end());
  return packet;
}

/** UDP from port 1000 to `port`, without checksum; `payloadBytes` of counting bytes that begin with `tag`. */
inline Bytes udpPacket(bool v6, std::size_t payloadBytes, std::uint16_t port = 7, std::uint8_t tag = 0) {
  Bytes upper(8 + payloadBytes);
  put16(upper, 0, 1000);
  put16(upper, 2, port);
  put16(upper, 4, upper.size());
  for (std::size_t i = 0; i < payloadBytes; i++) upper[8 + i] = static_cast<std::uint8_t>(tag + i);
  return ipPacket(v6, 17, upper);
}

/** Packets in memory of their own, each with just the room around it that sealing may use. */
class Batch {
 public:
  /** For packets that will be sealed: `kHeadroom` before and `kTailroom` after. */
  void addInner(std::span<const std::uint8_t> bytes) { add(bytes, ike::kHeadroom, ike::kTailroom); }
  /** For packets that will be opened: no room at all. */
  ike::Packet& addOuter(std::span<const std::uint8_t> bytes) { return add(bytes, 0, 0); }

  std::span<ike::Packet> packets() { return packets_; }
  ike::Packet& operator[](std::size_t index) { return packets_[index]; }
  std::size_t size() const { return packets_.size(); }

 private:
  ike::Packet& add(std::span<const std::uint8_t> bytes, std::size_t before, std::size_t after) {
    // Not a vector: its memory may reach further than it is long.
    const std::size_t lengthBytes = before + bytes.size() + after;
    memory_.push_back(std::make_unique<std::uint8_t[]>(lengthBytes));
    std::uint8_t* const slot = memory_.back().get();
    std::copy(bytes.begin(), bytes.end(), slot + before);
    ike::Packet& packet = packets_.emplace_back(std::span(slot, lengthBytes), before, bytes.size());
    packet.remote = kRemote;
    return packet;
  }

  std::vector<std::unique_ptr<std::uint8_t[]>> memory_;
  std::vector<ike::Packet> packets_;
};

inline Bytes copyOf(const ike::Packet& packet) {
  const auto bytes = packet.bytes();
  return {bytes.begin(), bytes.end()};
}

inline std::uint64_t dropped(const ike::DropCounters& drops, ike::Drop drop) {
  return drops[static_cast<std::size_t>(drop)];
}

/** A sending core that keeps no order among threads: tests have one. */
template <typename Core>
Core senderOf(ike::Mailbox& mailbox, std::size_t heldPackets) {
  if constexpr (std::is_constructible_v<Core, ike::Mailbox&, std::size_t, bool>)
    return Core(mailbox, heldPackets, false);
  else
    return Core(mailbox, heldPackets);
}

/** A batch all the way through a sending core, as one thread would take it, whether in one step or in three.
 */
template <typename Core, typename Work = ike::OutboundWork>
void transmit(Core& core, std::span<ike::Packet> packets, std::int64_t nowNs) {
  if constexpr (requires { core.outbound(packets, nowNs); }) {
    core.outbound(packets, nowNs);
  } else {
    Work work;
    core.begin(packets, work, nowNs);
    work.encrypt();
    core.finish(work, nowNs);
    work.done();
  }
}

/** The same through a receiving core. */
template <typename Core, typename Work = ike::InboundWork>
void receive(Core& core, std::span<ike::Packet> packets, std::int64_t nowNs) {
  if constexpr (requires { core.inbound(packets, nowNs); }) {
    core.inbound(packets, nowNs);
  } else {
    Work work;
    core.begin(packets, work);
    do {
      work.decrypt();
      core.finish(work, nowNs);
    } while (work.unfinished());
    work.done();
  }
}

/** Encrypts nothing and authenticates nothing: for tables full of SAs. */
class NoSuite final : public ike::Suite {
 public:
  NoSuite() : Suite(8, 16, 4) {}
  void seal(std::span<ike::CipherJob> jobs) noexcept override {
    for (ike::CipherJob& job : jobs) job.ok = true;
  }
  void open(std::span<ike::CipherJob> jobs) noexcept override {
    for (ike::CipherJob& job : jobs) job.ok = true;
  }
};

}  // namespace support
