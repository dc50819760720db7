// How large an SA makes a packet, and so how large one may be that shall fit a path. The only place where
// that is computed: path MTU, MSS clamping and traffic flow padding all ask here.
#pragma once

#include <cstddef>

#include "esp/sa.h"

namespace ike {

/** What an SA puts around a packet. */
struct Wrapping {
  Protocol protocol = Protocol::esp;
  Mode mode = Mode::tunnel;
  /** The family of the outer header; in transport mode the packet's own. */
  bool outerV6 = false;
  /** ESP in UDP. */
  bool udp = false;
  std::size_t ivBytes = 0;
  std::size_t icvBytes = 0;
  /** ESP's text is a multiple of this; unused by AH. */
  std::size_t alignBytes = 4;
  /** The ICV of the AH SA in transport mode around this one; 0: there is none. */
  std::size_t outerAhIcvBytes = 0;

  bool operator==(const Wrapping&) const noexcept = default;
};

/** The length of an AH header with its ICV (RFC 4302 §2.2: a multiple of 4 bytes, with IPv6 of 8). */
std::size_t ahHeaderBytes(std::size_t icvBytes, bool v6) noexcept;

/** The length on the wire of a packet of `innerBytes`. `keptBytes`: how many bytes of it stay in front of ESP
 * or AH in transport mode (its IP header with what belongs to it); 0 in tunnel mode. */
std::size_t wrappedBytes(const Wrapping& wrapping, std::size_t innerBytes,
                         std::size_t keptBytes = 0) noexcept;

/** The longest packet that has at most `mtuBytes` on the wire; 0: none has. */
std::size_t innerLimitBytes(const Wrapping& wrapping, std::size_t mtuBytes,
                            std::size_t keptBytes = 0) noexcept;

}  // namespace ike
