// A UDP socket for IKE on a host whose kernel does IPsec: past the kernel's policies, or IKE would wait for
// the SAs that it is to make, and on the NAT-T port with the kernel taking what is ESP in UDP (RFC 3948).
#pragma once

#include "net/address.h"
#include "net/fd.h"
#include "net/outcome.h"

namespace ike {

/** Binds; port 0 takes a free one. Failures of the binding have the errno's name as their code;
 * ERR_IKE_NO_XFRM or ERR_IKE_PRIVILEGE: the kernel does not let it past its policies, or cannot take ESP from
 * it. */
Outcome<Fd> openKernelSocket(const Endpoint& local, bool takesEsp);

}  // namespace ike
