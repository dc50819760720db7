// SAs, policies and events of the kernel, as lib/ipsec/kernel/kernel-api.ts describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cipher/suite.h"
#include "net/address.h"

namespace ike::xfrm {

/** XFRM_MODE_*. */
enum class Mode : std::uint8_t { transport = 0, tunnel = 1, beet = 4 };
/** XFRM_POLICY_IN, _OUT and _FWD. */
enum class Direction : std::uint8_t { in = 0, out = 1, forward = 2 };

struct Mark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;
};

struct SaKey {
  Address source;
  Address destination;
  /** IPPROTO_ESP or IPPROTO_AH. */
  std::uint8_t protocol = 0;
  std::uint32_t spi = 0;
  std::optional<Mark> mark;
};

struct Selector {
  Address source;
  Address destination;
  std::uint8_t sourceBits = 0;
  std::uint8_t destinationBits = 0;
  /** 0: any. */
  std::uint8_t protocol = 0;
  std::uint16_t sourcePort = 0;
  std::uint16_t sourcePortMask = 0;
  std::uint16_t destinationPort = 0;
  std::uint16_t destinationPortMask = 0;
};

/** 0: none. */
struct Limits {
  std::uint64_t softBytes = 0;
  std::uint64_t hardBytes = 0;
  std::uint64_t softPackets = 0;
  std::uint64_t hardPackets = 0;
  std::uint64_t softSeconds = 0;
  std::uint64_t hardSeconds = 0;
};

struct Encapsulation {
  /** UDP_ENCAP_ESPINUDP or TCP_ENCAP_ESPINTCP. */
  std::uint16_t type = 0;
  std::uint16_t sourcePort = 0;
  std::uint16_t destinationPort = 0;
};

struct Path {
  Address source;
  Address destination;
  std::optional<Encapsulation> encapsulation;
};

struct Algorithm {
  /** The kernel's: `rfc4106(gcm(aes))`. */
  std::string name;
  /** Key, then salt. */
  Secret key;
  /** Of AEADs and integrity algorithms. */
  std::uint32_t icvBits = 0;
};

struct Offload {
  int interfaceIndex = 0;
  bool inbound = false;
};

struct Sa {
  SaKey key;
  Mode mode = Mode::tunnel;
  std::uint32_t reqid = 0;
  std::optional<Algorithm> aead;
  std::optional<Algorithm> cipher;
  std::optional<Algorithm> integrity;
  bool esn = false;
  std::uint32_t replayWindow = 0;
  std::optional<Selector> selector;
  Limits limits;
  bool copyDscpOut = true;
  bool copyDscpIn = false;
  bool ecn = true;
  std::uint32_t tfcBytes = 0;
  std::optional<Encapsulation> encapsulation;
  /** 0: none. */
  std::uint32_t ifId = 0;
  std::optional<Mark> setMark;
  std::optional<Offload> offload;
};

struct SpiRequest {
  SaKey key;
  Mode mode = Mode::tunnel;
  std::uint32_t reqid = 0;
  std::uint32_t ifId = 0;
};

/** An SA as the kernel shows it, without its keys. */
struct SaState {
  SaKey key;
  std::uint8_t mode = 0;
  std::uint32_t reqid = 0;
  std::uint32_t ifId = 0;
  /** It has no algorithms: a reserved SPI, or a packet's cry for an SA. */
  bool larval = false;
  /** The device does its cryptography. */
  bool offloaded = false;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sequence = 0;
  /** Seconds since 1970; nothing where the kernel does not tell. */
  std::optional<std::uint64_t> lastUsed;
  std::uint32_t replayDrops = 0;
  std::uint32_t integrityDrops = 0;
  Limits limits;
};

struct Template {
  std::uint8_t protocol = 0;
  Mode mode = Mode::tunnel;
  /** Length 0: the packet's own. */
  Address source;
  Address destination;
  std::uint32_t reqid = 0;
};

struct PolicyKey {
  Direction direction = Direction::out;
  Selector selector;
  std::optional<Mark> mark;
  std::uint32_t ifId = 0;
};

struct Policy {
  PolicyKey key;
  /** Its lowest three bits are the direction; 0: the kernel's choice. */
  std::uint32_t index = 0;
  bool block = false;
  std::uint32_t priority = 0;
  std::vector<Template> templates;
};

/** A packet that met a policy whose SA is missing. */
struct Acquire {
  std::uint32_t reqid = 0;
  std::uint32_t policyIndex = 0;
  Selector packet;
};

struct Expire {
  SaKey key;
  bool hard = false;
};

struct Mapping {
  SaKey key;
  Address newSource;
  std::uint16_t newSourcePort = 0;
};

/** The kernel dropped a packet for want of a policy's consent (Mobile IPv6). */
struct Report {
  std::uint8_t protocol = 0;
  Selector packet;
};

/** There were more events than there was room for. */
struct Lost {};

using Event = std::variant<Acquire, Expire, Mapping, Report, Lost>;

}  // namespace ike::xfrm
