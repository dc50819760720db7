// Options that net/udp.h and linux/xfrm.h have, in the order that the kernel wants them.
#include "net/kernel-socket.h"

#include <linux/in6.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <cerrno>

namespace ike {
namespace {

/** Not in headers that also declare sockets. */
constexpr int kIpXfrmPolicy = 17;
constexpr int kIpv6XfrmPolicy = 35;
constexpr int kIpLevel = 0;
constexpr int kIpv6Level = 41;
constexpr int kUdpLevel = 17;
constexpr int kIpv6Only = 26;

const char* nameOf(int error) noexcept {
  switch (error) {
    case EADDRINUSE:
      return "EADDRINUSE";
    case EACCES:
    case EPERM:
      return "EACCES";
    case EADDRNOTAVAIL:
      return "EADDRNOTAVAIL";
    case EAFNOSUPPORT:
      return "EAFNOSUPPORT";
    default:
      return "unknown";
  }
}

bool set(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool letPast(int fd, bool v6, std::uint8_t direction) noexcept {
  xfrm_userpolicy_info policy{};
  policy.action = XFRM_POLICY_ALLOW;
  policy.sel.family = static_cast<std::uint16_t>(v6 ? AF_INET6 : AF_INET);
  policy.dir = direction;
  return ::setsockopt(fd, v6 ? kIpv6Level : kIpLevel, v6 ? kIpv6XfrmPolicy : kIpXfrmPolicy, &policy,
                      sizeof policy) == 0;
}

}  // namespace

Outcome<Fd> openKernelSocket(const Endpoint& local, bool takesEsp) {
  const bool v6 = local.address.isV6();
  Fd fd(::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Failure{nameOf(errno), describe("socket", errno)};
  if (v6) set(fd.get(), kIpv6Level, kIpv6Only, 1);
  if (!letPast(fd.get(), v6, XFRM_POLICY_IN) || !letPast(fd.get(), v6, XFRM_POLICY_OUT))
    return systemFailure("ERR_IKE_NO_XFRM", "the kernel lets no socket past its IPsec policies", errno);
  if (takesEsp && !set(fd.get(), kUdpLevel, UDP_ENCAP, UDP_ENCAP_ESPINUDP))
    return systemFailure("ERR_IKE_NO_XFRM", "the kernel takes no ESP out of UDP", errno);
  sockaddr_storage storage;
  const socklen_t length = toSockaddr(local, storage);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0)
    return Failure{nameOf(errno), describe("bind", errno)};
  return fd;
}

}  // namespace ike
