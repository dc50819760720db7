// Inner packets into the sending core, through policies of all kinds. An input is records: policies and SAs
// with selectors from it come and go, packets of any bytes or with good headers are sent, time passes. What
// leaves sealed is opened with the keys of its SA and must be the packet that went in; which policy and SA it
// takes must be what a walk through a plain list says. SAs of policy 0 serve none; some have AH around them.
#include "engine/outbound-core.h"

#include <map>

#include "engine/inbound-core.h"
#include "engine/limits.h"
#include "fuzz/fuzz.h"
#include "support.h"

namespace {

using namespace support;
using ike::Drop;
using ike::Policy;

constexpr std::size_t kMaxRecords = 96;
constexpr std::uint32_t kFirstSpi = 0x1000;
/** From an SA of ESP, and its SPI, to the AH SA around it. */
constexpr std::uint32_t kAround = 0x100;

/** What the list holds of a policy. */
struct Row {
  Policy::Kind kind;
  std::uint32_t priority;
  std::uint32_t age;
  std::vector<ike::Selector> localTs;
  std::vector<ike::Selector> remoteTs;
};

struct SaRow {
  std::uint32_t policyId;
  std::uint32_t age;
  std::vector<ike::Selector> localTs;
  std::vector<ike::Selector> remoteTs;
};

class Run {
 public:
  Run(fuzz::Reader& reader, std::uint32_t seed) : reader_(reader), seed_(seed) {}

  void records() {
    for (std::size_t i = 0; i < kMaxRecords && !reader_.done(); i++) record();
  }

 private:
  void record() {
    const std::uint8_t what = reader_.byte();
    switch (what % 12) {
      case 0:
      case 1:
        addPolicy(what >> 4);
        break;
      case 2:
      case 3:
        addSa(what >> 4);
        break;
      case 4:
        out_.deletePolicy(what >> 4);
        policies_.erase(what >> 4);
        break;
      case 5:
        for (const std::uint32_t id : {1u + kAround + (what >> 4), 1u + (what >> 4)}) {
          out_.deleteSa(id);
          in_.deleteSa(id);
        }
        sas_.erase(1 + (what >> 4));
        break;
      case 6:
        nowNs_ += (what >> 4) * kSecondNs;
        out_.tick(nowNs_);
        break;
      case 7:
        mailbox_.take();
        break;
      default:
        send(what >> 4);
    }
    letGo();
  }

  std::vector<ike::Selector> selectors() {
    std::vector<ike::Selector> list;
    for (std::uint32_t count = 1 + reader_.below(3); count > 0; count--) {
      const std::uint8_t shape = reader_.byte();
      ike::Selector selector = everything((shape & 1) != 0);
      // The addresses are few, so that they meet those of packets.
      if ((shape & 2) != 0) selector.start.bytes[selector.start.length - 1u] = reader_.byte() % 4;
      if ((shape & 4) != 0) selector.end = selector.start;
      if ((shape & 8) != 0) selector.protocol = (shape & 16) != 0 ? 17 : reader_.byte();
      if ((shape & 32) != 0) {
        selector.startPort = reader_.byte();
        selector.endPort = static_cast<std::uint16_t>(selector.startPort + reader_.byte());
      }
      if ((shape & 64) != 0) {
        selector.startPort = 65535;
        selector.endPort = 0;
      }
      list.push_back(selector);
    }
    return list;
  }

  void addPolicy(std::uint32_t id) {
    Row row{static_cast<Policy::Kind>(reader_.below(4)), reader_.below(4), age_++, selectors(), selectors()};
    auto policy = policyOf(id, row.kind, row.priority);
    policy->localTs = row.localTs;
    policy->remoteTs = row.remoteTs;
    const bool added = !out_.addPolicy(std::move(policy));
    FUZZ_CHECK(added == !policies_.contains(id));
    if (added) policies_.emplace(id, std::move(row));
  }

  void addSa(std::uint32_t index) {
    const std::uint32_t id = 1 + index;
    const SuiteChoice& choice = allSuites()[reader_.below(static_cast<std::uint32_t>(allSuites().size()))];
    const std::uint8_t shape = reader_.byte();
    SaRow row{shape % 16u, age_++, everything(), everything()};
    if ((shape & 16) != 0) row.localTs = selectors();
    if ((shape & 32) != 0) row.remoteTs = selectors();
    const bool esn = (shape & 64) != 0;
    const bool bundle = (shape & 128) != 0;
    if (sas_.contains(id)) return;
    if (bundle) addAround(id + kAround, esn);
    ike::SaSpec spec = specOf(choice, false, id, kFirstSpi + id, esn, seed_ + age_);
    spec.policyId = row.policyId;
    spec.localTs = row.localTs;
    spec.remoteTs = row.remoteTs;
    spec.udpEncapsulation = !bundle;
    spec.outerSaId = bundle ? id + kAround : 0;
    auto suite = ike::Suite::create(spec.keys, true);
    FUZZ_CHECK(suite != nullptr && !out_.addSa(std::move(spec), std::move(suite)));
    ike::SaSpec opening = specOf(choice, true, id, kFirstSpi + id, esn, seed_ + age_);
    opening.udpEncapsulation = !bundle;
    opening.outerSaId = bundle ? id + kAround : 0;
    suite = ike::Suite::create(opening.keys, false);
    FUZZ_CHECK(!in_.addSa(std::move(opening), std::move(suite)));
    sas_.emplace(id, std::move(row));
  }

  void addAround(std::uint32_t id, bool esn) {
    for (const bool inbound : {false, true}) {
      ike::SaSpec spec = specOf({ike::Encryption::none, 0, ike::Integrity::sha256_128, 32}, inbound, id,
                                kFirstSpi + id, esn, seed_ + age_);
      spec.policyId = 0;
      spec.protocol = ike::Protocol::ah;
      spec.mode = ike::Mode::transport;
      spec.udpEncapsulation = false;
      auto suite = ike::createSuite(spec);
      FUZZ_CHECK(suite != nullptr);
      if (inbound)
        FUZZ_CHECK(!in_.addSa(std::move(spec), std::move(suite)));
      else
        FUZZ_CHECK(!out_.addSa(std::move(spec), std::move(suite)));
    }
  }

  Bytes innerPacket(std::uint32_t shape) {
    const auto bytes = reader_.bytes(reader_.below(200));
    if (shape % 4 == 0) return {bytes.begin(), bytes.end()};
    Bytes packet = ipPacket(shape % 2 == 0, (shape & 4) != 0 ? 17 : reader_.byte(), bytes);
    const std::uint8_t pair = reader_.byte();
    const std::size_t length = packet[0] >> 4 == 6 ? 16 : 4;
    const std::size_t first = length == 16 ? 8 : 12;
    std::fill_n(packet.begin() + static_cast<std::ptrdiff_t>(first), 2 * length, std::uint8_t{0});
    packet[first + length - 1] = pair % 4;
    packet[first + 2 * length - 1] = pair / 4 % 4;
    return packet;
  }

  /** 0: no policy. The SA is 0 where the policy has none for the packet. */
  std::pair<const Row*, std::uint32_t> expected(const ike::PacketInfo& info) const {
    const Row* best = nullptr;
    std::uint32_t bestId = 0;
    for (const auto& [id, row] : policies_) {
      if (!ike::matchesPair(row.localTs, row.remoteTs, info)) continue;
      if (best != nullptr && std::pair(best->priority, best->age) < std::pair(row.priority, row.age))
        continue;
      best = &row;
      bestId = id;
    }
    std::uint32_t newest = 0;
    std::uint32_t newestAge = 0;
    for (const auto& [id, sa] : sas_) {
      if (best == nullptr || sa.policyId == 0 || sa.policyId != bestId ||
          !ike::matchesPair(sa.localTs, sa.remoteTs, info))
        continue;
      // SAs that were there before their policy are attached in their own order.
      if (newest == 0 || sa.age > newestAge) {
        newest = id;
        newestAge = sa.age;
      }
    }
    return {best, newest};
  }

  void send(std::uint32_t shape) {
    const Bytes inner = innerPacket(shape);
    Batch batch;
    // Twice, so that the cache of flows is asked too.
    batch.addInner(inner);
    batch.addInner(inner);
    transmit(out_, batch.packets(), nowNs_);
    const auto info = ike::parsePacket(inner);
    for (ike::Packet& packet : batch.packets()) {
      if (!info) {
        FUZZ_CHECK(packet.drop == Drop::malformed);
        continue;
      }
      const auto [policy, sa] = expected(*info);
      const bool protects =
          policy != nullptr && (policy->kind == Policy::Kind::protect || policy->kind == Policy::Kind::trap);
      if (policy == nullptr) FUZZ_CHECK(packet.drop == Drop::noPolicy);
      if (!protects) continue;
      FUZZ_CHECK((packet.drop == Drop::none) == (sa != 0));
      if (sa == 0) continue;
      const bool bundle = packet.outerBytes != 0;
      const std::size_t spiOffset = bundle ? packet.outerBytes + 4 : 0;
      FUZZ_CHECK(ike::load32(packet.bytes().data() + spiOffset) == kFirstSpi + sa + (bundle ? kAround : 0));
      open(packet, std::span(inner).first(info->lengthBytes));
    }
  }

  void open(const ike::Packet& sealed, std::span<const std::uint8_t> inner) {
    Batch batch;
    addReceived(batch, sealed);
    receive(in_, batch.packets(), nowNs_);
    FUZZ_CHECK(batch[0].drop == Drop::none);
    FUZZ_CHECK(std::ranges::equal(batch[0].bytes(), inner));
  }

  static void addReceived(Batch& batch, const ike::Packet& sealed) {
    ike::Packet& packet = batch.addOuter(sealed.bytes());
    if (sealed.outerBytes == 0) return;
    const auto found = ike::findIpsec(sealed.bytes());
    FUZZ_CHECK(found && found->lengthBytes == sealed.lengthBytes && found->outerBytes == sealed.outerBytes);
    packet.ah = found->protocol == ike::kProtocolAh;
    FUZZ_CHECK(packet.ah);
    packet.outerBytes = packet.offset = found->outerBytes;
    packet.lengthBytes -= found->outerBytes;
  }

  void letGo() {
    std::array<ike::Packet, 8> room;
    while (out_.hasReleased()) {
      const std::size_t count = out_.released(room, nowNs_);
      for (const ike::Packet& packet : std::span(room).first(count)) {
        FUZZ_CHECK(packet.drop == Drop::none);
        Batch batch;
        addReceived(batch, packet);
        receive(in_, batch.packets(), nowNs_);
        FUZZ_CHECK(batch[0].drop == Drop::none);
      }
    }
  }

  fuzz::Reader& reader_;
  std::uint32_t seed_;
  ike::Mailbox mailbox_;
  ike::OutboundCore out_ = senderOf<ike::OutboundCore>(mailbox_, 4);
  ike::InboundCore in_{mailbox_};
  std::map<std::uint32_t, Row> policies_;
  std::map<std::uint32_t, SaRow> sas_;
  std::uint32_t age_ = 0;
  std::int64_t nowNs_ = kSecondNs;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Reader reader({data, size});
  // A core has a cache of many flows, too large for the stack.
  std::make_unique<Run>(reader, fuzz::hashOf({data, size}))->records();
  return 0;
}
