// Outer packets into the receiving core. An input is: the suite, a byte of flags (ESN, transport mode,
// without UDP, IPv6, AH: in transport mode with an SA of ESP inside), the window, then records: what to do,
// how many bytes, the bytes. Records are forged packets, texts sealed with the SA's key with any trailer,
// inner packets sealed well, repetitions, and the commands of JavaScript. Forged packets must never come
// through; what comes through must be a whole packet in its slot; every packet must be counted once.
#include "engine/inbound-core.h"

#include "engine/limits.h"
#include "esp/ah.h"
#include "fuzz/fuzz.h"
#include "support.h"

namespace {

using namespace support;
using ike::Drop;

constexpr std::uint32_t kSpi = 0x1234;
/** Of what is inside AH. */
constexpr std::uint32_t kInsideSpi = 0x1235;
constexpr std::size_t kMaxRecords = 48;

class Run {
 public:
  Run(fuzz::Reader& reader, std::uint32_t seed) : reader_(reader), seed_(seed) {
    choice_ = allSuites()[reader.below(static_cast<std::uint32_t>(allSuites().size()))];
    const std::uint8_t flags = reader.byte();
    esn_ = (flags & 1) != 0;
    transport_ = (flags & 2) != 0;
    ah_ = (flags & 16) != 0;
    raw_ = (flags & 4) != 0 || ah_;
    v6_ = (flags & 8) != 0;
    constexpr std::uint32_t kWindows[] = {0, 1, 32, 64, 1024, 4096, 65536, 128};
    window_ = kWindows[flags >> 5];
    inside_ = ike::Suite::create(keysOf(choice_, esn_, seed_), true);
    sealing_ = ah_ ? ike::createAhSuite(ahKeys()) : ike::Suite::create(keysOf(choice_, esn_, seed_), true);
    FUZZ_CHECK(sealing_ != nullptr && inside_ != nullptr);
    addSa();
    if (ah_ && transport_) addInside();
  }

  void records() {
    for (std::size_t i = 0; i < kMaxRecords && !reader_.done(); i++) record();
    flush();
  }

 private:
  ike::SuiteKeys ahKeys() const {
    ike::SuiteKeys keys = keysOf(choice_, esn_, seed_);
    keys.encryption = ike::Encryption::none;
    keys.encryptionKey = ike::Secret();
    if (keys.integrity == ike::Integrity::none) {
      keys.integrity = ike::Integrity::sha256_128;
      keys.integrityKey = secretOf(32, seed_);
    }
    return keys;
  }

  /** What comes out of it must have come out of the AH SA. */
  void addInside() {
    ike::SaSpec spec = specOf(choice_, true, 2, kInsideSpi, esn_, seed_);
    spec.replayWindow = window_;
    spec.udpEncapsulation = false;
    spec.outerSaId = 1;
    auto suite = ike::createSuite(spec);
    FUZZ_CHECK(!core_.addSa(std::move(spec), std::move(suite)));
  }

  void addSa() {
    ike::SaSpec spec = specOf(choice_, true, 1, kSpi, esn_, seed_);
    spec.replayWindow = window_;
    spec.mode = transport_ ? ike::Mode::transport : ike::Mode::tunnel;
    spec.udpEncapsulation = !raw_;
    if (ah_) {
      spec.protocol = ike::Protocol::ah;
      spec.keys = ahKeys();
    }
    auto suite = ike::createSuite(spec);
    FUZZ_CHECK(!core_.addSa(std::move(spec), std::move(suite)));
    has_ = true;
  }

  void record() {
    const std::uint8_t what = reader_.byte();
    const std::span<const std::uint8_t> bytes = reader_.bytes(reader_.below(300));
    switch (what % 8) {
      case 0:
        add({bytes.begin(), bytes.end()}, true);
        break;
      case 1: {
        Bytes forged(std::max<std::size_t>(bytes.size(), 8));
        std::copy(bytes.begin(), bytes.end(), forged.begin());
        ike::store32(forged.data() + (ah_ ? 4 : 0), kSpi);
        add(std::move(forged), true);
        break;
      }
      case 2:
      case 3:
        if (ah_)
          add(authenticated(bytes, bytes.empty() ? 0 : bytes[0], what >> 3), false);
        else
          add(sealed(*sealing_, kSpi, bytes, what >> 3), false);
        break;
      case 4:
        if (!ah_)
          add(sealed(*sealing_, kSpi, wellMade(bytes, transport_), 0), false);
        else if (transport_ && what >= 128)
          add(authenticated(sealed(*inside_, kInsideSpi, wellMade(bytes, false), 0), 50, 0), false);
        else
          add(authenticatedWell(bytes), false);
        break;
      case 5:
        if (!last_.empty()) add(last_, lastForged_);
        break;
      case 6: {
        if (good_.empty()) break;
        // Of one that is good: two changes might undo each other.
        Bytes bent = good_;
        const std::size_t at =
            bytes.size() < 2 ? 0 : static_cast<std::size_t>(bytes[0] << 8 | bytes[1]) % bent.size();
        bent[at] ^= static_cast<std::uint8_t>(1 << (what >> 5));
        add(std::move(bent), true);
        break;
      }
      default:
        flush();
        command(what >> 3, bytes);
    }
  }

  void command(std::uint32_t which, std::span<const std::uint8_t> bytes) {
    switch (which % 6) {
      case 0:
        nowNs_ += kSecondNs;
        core_.tick(nowNs_);
        break;
      case 1:
        core_.updateSa(1, kLocal, {kRemote.address, static_cast<std::uint16_t>(bytes.size())});
        break;
      case 2:
        if (has_) core_.deleteSa(1);
        has_ = false;
        break;
      case 3:
        if (!has_) addSa();
        break;
      case 4: {
        auto spi = core_.allocateSpi();
        if (spi.ok() && bytes.size() % 2 == 0) core_.releaseSpi(spi.value());
        break;
      }
      default:
        mailbox_.take();
    }
  }

  /** A packet with that text, under the next number or one that leaps. */
  Bytes sealed(ike::Suite& suite, std::uint32_t spi, std::span<const std::uint8_t> text, std::uint32_t leap) {
    const std::size_t align = suite.alignBytes();
    const std::size_t textBytes = std::max(text.size() / align * align, align);
    const std::size_t before = ike::kEspHeaderBytes + suite.ivBytes();
    Bytes packet(before + textBytes + suite.icvBytes());
    std::copy_n(text.begin(), std::min(text.size(), textBytes),
                packet.begin() + static_cast<std::ptrdiff_t>(before));
    sequence_ += 1 + (leap < 16 ? 0 : std::uint64_t{1} << leap);
    ike::store32(packet.data(), spi);
    ike::store32(packet.data() + 4, static_cast<std::uint32_t>(sequence_));
    ike::CipherJob job{.packet = packet.data(), .textBytes = textBytes, .sequence = sequence_, .ok = false};
    suite.seal({&job, 1});
    FUZZ_CHECK(job.ok);
    return packet;
  }

  /** The same with AH in front, as `add` will put an IP header before it. */
  Bytes authenticated(std::span<const std::uint8_t> text, std::uint8_t next, std::uint32_t leap) {
    const std::size_t ahBytes = ike::ahBytesFor(sealing_->icvBytes(), v6_);
    Bytes packet(ahBytes);
    packet[0] = next;
    packet[1] = static_cast<std::uint8_t>(ahBytes / 4 - 2);
    sequence_ += 1 + (leap < 16 ? 0 : std::uint64_t{1} << leap);
    ike::store32(packet.data() + 4, kSpi);
    ike::store32(packet.data() + 8, static_cast<std::uint32_t>(sequence_));
    packet.insert(packet.end(), text.begin(), text.end());
    Bytes whole = ipPacket(v6_, 51, packet);
    ike::CipherJob job{.packet = whole.data(), .textBytes = whole.size(), .sequence = sequence_, .ok = false};
    sealing_->seal({&job, 1});
    FUZZ_CHECK(job.ok);
    return {whole.end() - static_cast<std::ptrdiff_t>(packet.size()), whole.end()};
  }

  Bytes authenticatedWell(std::span<const std::uint8_t> bytes) {
    if (transport_) return authenticated(bytes, 17, 0);
    const bool v6 = bytes.size() % 2 == 0;
    return authenticated(ipPacket(v6, bytes.empty() ? 17 : bytes[0], bytes), v6 ? 41 : 4, 0);
  }

  /** The text of an inner packet whose upper part is `bytes`, with a good trailer. */
  Bytes wellMade(std::span<const std::uint8_t> bytes, bool transport) {
    const bool v6 = bytes.size() % 2 == 0;
    Bytes text =
        transport ? Bytes(bytes.begin(), bytes.end()) : ipPacket(v6, bytes.empty() ? 17 : bytes[0], bytes);
    const std::size_t align = sealing_->alignBytes();
    std::uint8_t pad = 0;
    while ((text.size() + 2) % align != 0) text.push_back(++pad);
    text.push_back(pad);
    text.push_back(transport ? 17 : v6 ? 41 : 4);
    return text;
  }

  void add(Bytes packet, bool forged) {
    const std::size_t outer = raw_ ? (v6_ ? 40 : 20) : 0;
    Bytes whole = raw_ ? ipPacket(v6_, ah_ ? 51 : 50, packet) : packet;
    ike::Packet& added = batch_.addOuter(whole);
    added.offset = added.outerBytes = outer;
    added.lengthBytes -= outer;
    added.ah = ah_;
    forged_.push_back(forged);
    if (!forged) good_ = packet;
    last_ = std::move(packet);
    lastForged_ = forged;
    if (batch_.size() == ike::kBatch) flush();
  }

  std::uint64_t counted() const {
    std::uint64_t sum = core_.stats().packets;
    for (const std::uint64_t count : core_.stats().drops) sum += count;
    return sum;
  }

  void flush() {
    const std::uint64_t before = counted();
    receive(core_, batch_.packets(), nowNs_);
    FUZZ_CHECK(counted() - before == batch_.size());
    for (std::size_t i = 0; i < batch_.size(); i++) {
      ike::Packet& packet = batch_[i];
      if (packet.drop != Drop::none) continue;
      FUZZ_CHECK(!forged_[i]);
      FUZZ_CHECK(packet.offset + packet.lengthBytes <= packet.slot.size());
      const auto info = ike::parsePacket(packet.bytes());
      FUZZ_CHECK(info && info->lengthBytes == packet.lengthBytes);
    }
    batch_ = {};
    forged_.clear();
  }

  fuzz::Reader& reader_;
  std::uint32_t seed_;
  SuiteChoice choice_;
  bool esn_ = false;
  bool transport_ = false;
  bool raw_ = false;
  bool ah_ = false;
  bool v6_ = false;
  bool has_ = false;
  std::uint32_t window_ = 0;
  std::unique_ptr<ike::Suite> sealing_;
  std::unique_ptr<ike::Suite> inside_;
  ike::Mailbox mailbox_;
  ike::InboundCore core_{mailbox_};
  Batch batch_;
  std::vector<bool> forged_;
  Bytes good_;
  Bytes last_;
  bool lastForged_ = false;
  std::uint64_t sequence_ = 0;
  std::int64_t nowNs_ = kSecondNs;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Reader reader({data, size});
  Run(reader, fuzz::hashOf({data, size})).records();
  return 0;
}
