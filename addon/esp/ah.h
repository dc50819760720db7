// AH (RFC 4302) as far as it is not an SA's bookkeeping: what of an IP header is authenticated, and the suite
// that computes it.
#pragma once

#include <memory>
#include <span>

#include "cipher/suite.h"
#include "esp/outer-header.h"

namespace ike {

/** An SA with that ICV has AH headers of this length: padded to 4 bytes in IPv4, to 8 in IPv6 (§2.6). */
std::size_t ahBytesFor(std::size_t icvBytes, bool v6) noexcept;

/** Turns the IP header in front of AH into what is authenticated: mutable fields become zero, predictable
 * ones what the receiver will see (§3.3.3.1, Appendix A). False: options or extension headers that cannot be
 * read, or routing of a kind whose end cannot be told. */
bool muteHeader(std::span<std::uint8_t> header, const HeaderMap& map) noexcept;

/** Takes a fragment header around a whole packet out of what lies before AH (Appendix A2): the packet then
 * begins so many bytes later. */
std::size_t dropFragmentHeader(std::span<std::uint8_t> packet, const HeaderMap& map) noexcept;

/** Jobs are whole IP packets: `packet` leads to the IP header, `textBytes` is the length of all. Null:
 * unknown algorithm or a key of the wrong length. */
std::unique_ptr<Suite> createAhSuite(const SuiteKeys& keys);

}  // namespace ike
