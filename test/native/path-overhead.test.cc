// How large packets become and may be, against a model that lays the bytes out one after the other.
#include "check.h"
#include "path-packets.h"
#include "path/fit.h"
#include "path/overhead.h"

namespace {

using ike::Mode;
using ike::Protocol;
using ike::Wrapping;

/** IV, ICV and alignment of every suite that there is: GCM, CCM, ChaCha, GMAC, CTR, CBC with AES and 3DES,
 * NULL. */
struct Sizes {
  std::size_t iv, icv, align;
};
constexpr Sizes kSuites[] = {{8, 8, 4},    {8, 12, 4}, {8, 16, 4}, {16, 12, 16}, {16, 16, 16}, {16, 24, 16},
                             {16, 32, 16}, {8, 12, 8}, {8, 32, 8}, {0, 12, 4},   {0, 16, 4},   {0, 32, 4}};

/** Field by field; grows the padding until the text is aligned. */
std::size_t layOut(const Wrapping& w, std::size_t innerBytes, std::size_t keptBytes) {
  const auto ah = [&w](std::size_t icv) {
    std::size_t bytes = 12 + icv;
    while (bytes % (w.outerV6 ? 8 : 4) != 0) bytes++;
    return bytes;
  };
  std::size_t bytes = 0;
  if (w.mode == Mode::tunnel) bytes += w.outerV6 ? 40 : 20;
  if (w.outerAhIcvBytes != 0) bytes += ah(w.outerAhIcvBytes);
  if (w.protocol == Protocol::ah) return bytes + ah(w.icvBytes) + innerBytes;
  bytes += keptBytes;
  if (w.udp) bytes += 8;
  bytes += 4 + 4 + w.ivBytes;
  std::size_t text = innerBytes - keptBytes;
  std::size_t pad = 0;
  while ((text + pad + 2) % w.alignBytes != 0) pad++;
  return bytes + text + pad + 2 + w.icvBytes;
}

/** Calls with every kind of SA. */
template <typename Visit>
void everyWrapping(Visit&& visit) {
  for (const bool v6 : {false, true})
    for (const Mode mode : {Mode::tunnel, Mode::transport})
      for (const std::size_t outerAh : {0, 12, 16, 24, 32}) {
        for (const Sizes& suite : kSuites)
          for (const bool udp : {false, true})
            visit(Wrapping{.protocol = Protocol::esp,
                           .mode = mode,
                           .outerV6 = v6,
                           .udp = udp,
                           .ivBytes = suite.iv,
                           .icvBytes = suite.icv,
                           .alignBytes = suite.align,
                           .outerAhIcvBytes = outerAh});
        for (const std::size_t icv : {12, 16, 24, 32})
          visit(Wrapping{.protocol = Protocol::ah,
                         .mode = mode,
                         .outerV6 = v6,
                         .icvBytes = icv,
                         .outerAhIcvBytes = outerAh});
      }
}

TEST("RFC 4303 §2.4: the length of a sealed packet is right for every suite, mode and inner length") {
  everyWrapping([](const Wrapping& w) {
    const std::size_t kept = w.mode == Mode::tunnel ? 0 : w.outerV6 ? 48 : 24;
    for (std::size_t inner = kept + 1; inner < kept + 300; inner++)
      CHECK_EQ(ike::wrappedBytes(w, inner, kept), layOut(w, inner, kept));
  });
}

TEST("a packet of exactly the limit fits the path, and one byte more does not, for every path") {
  std::size_t cases = 0;
  everyWrapping([&cases](const Wrapping& w) {
    const std::size_t kept = w.mode == Mode::tunnel ? 0 : w.outerV6 ? 40 : 20;
    for (std::size_t mtu = 576; mtu < 1600; mtu++) {
      const std::size_t limit = ike::innerLimitBytes(w, mtu, kept);
      CHECK(limit > kept);
      CHECK(layOut(w, limit, kept) <= mtu);
      CHECK(layOut(w, limit + 1, kept) > mtu);
      cases++;
    }
  });
  CHECK(cases > 200'000);
}

TEST("where the path is smaller than what is put around, no packet fits") {
  everyWrapping([](const Wrapping& w) {
    const std::size_t kept = w.mode == Mode::tunnel ? 0 : 20;
    for (std::size_t mtu = 0; mtu < 200; mtu++) {
      const std::size_t limit = ike::innerLimitBytes(w, mtu, kept);
      if (limit > 0) CHECK(layOut(w, limit, kept) <= mtu);
      if (limit == 0) CHECK(layOut(w, kept + 1, kept) > mtu || w.protocol == Protocol::ah);
    }
  });
}

TEST(
    "known figures: AES-GCM in UDP over IPv4 on Ethernet carries 1438 bytes, without UDP 1446, CBC with "
    "SHA-256 1438") {
  Wrapping gcm{.udp = true, .ivBytes = 8, .icvBytes = 16, .alignBytes = 4};
  CHECK_EQ(ike::innerLimitBytes(gcm, 1500), 1438u);
  gcm.udp = false;
  CHECK_EQ(ike::innerLimitBytes(gcm, 1500), 1446u);
  const Wrapping cbc{.ivBytes = 16, .icvBytes = 16, .alignBytes = 16};
  CHECK_EQ(ike::innerLimitBytes(cbc, 1500), 1438u);
}

TEST("RFC 8200 §5: what becomes of a packet that does not fit, by family, DF and length") {
  using ike::Fit;
  using ike::fitOf;
  const auto big4 = packets::ipv4(17, packets::Bytes(1400), 0);
  const auto df4 = packets::ipv4(17, packets::Bytes(1400), 0x4000);
  const auto big6 = packets::ipv6(17, packets::Bytes(1400));
  const auto small6 = packets::ipv6(17, packets::Bytes(1240));
  CHECK(fitOf(big4, 1420) == Fit::whole);
  CHECK(fitOf(big4, 1419) == Fit::cut);
  CHECK(fitOf(df4, 1420) == Fit::whole);
  CHECK(fitOf(df4, 1419) == Fit::answer);
  CHECK(fitOf(big6, 1440) == Fit::whole);
  CHECK(fitOf(big6, 1439) == Fit::answer);
  CHECK(fitOf(small6, 1279) == Fit::cutOuter);
  CHECK(fitOf(packets::Bytes{0x45}, 0) == Fit::answer);
}

}  // namespace
