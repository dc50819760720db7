// Cuts an IP packet into fragments (RFC 791 §3.2, RFC 8200 §4.5). IPv4 packets are cut before they are
// encrypted, where nobody forbids it; outer packets only where RFC 8200 §5 leaves no other way. The packet is
// checked once, by `open`; then each `next` writes one fragment.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace ike {

class Fragmenter {
 public:
  /** What each fragment repeats is never longer. */
  static constexpr std::size_t kMaxHeaderBytes = 256;

  /** `packet`, one whole IP packet, must stay as it is meanwhile. `identification` is for IPv6. Nothing when
   * it may not be cut (IPv4 with DF, an IPv6 packet that is a fragment), is malformed, or `mtuBytes` has no
   * room. */
  static std::optional<Fragmenter> open(std::span<const std::uint8_t> packet, std::size_t mtuBytes,
                                        std::uint32_t identification = 0) noexcept;

  bool done() const noexcept { return doneBytes_ == payload_.size(); }
  /** The next fragment into `room`; its length. 0 when the room is too small for it: nothing was written. */
  std::size_t next(std::span<std::uint8_t> room) noexcept;

 private:
  Fragmenter() = default;

  bool openV4(std::span<const std::uint8_t> packet) noexcept;
  bool openV6(std::span<const std::uint8_t> packet, std::uint32_t identification) noexcept;
  void keepCopiedOptions(std::span<const std::uint8_t> options) noexcept;

  bool v6_ = false;
  std::size_t mtuBytes_ = 0;
  /** The first fragment's, and that of the others (IPv4: less options). */
  std::array<std::uint8_t, kMaxHeaderBytes> header_{};
  std::size_t headerBytes_ = 0;
  std::array<std::uint8_t, 60> later_{};
  std::size_t laterBytes_ = 0;
  std::span<const std::uint8_t> payload_;
  std::size_t doneBytes_ = 0;
  /** IPv4: where the packet itself was a fragment. */
  std::size_t baseBytes_ = 0;
  bool moreFollow_ = false;
};

}  // namespace ike
