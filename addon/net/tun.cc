// /dev/net/tun and the ioctls that name, size and raise the device.
#include "net/tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "net/netlink.h"

namespace ike {

Outcome<Tun> Tun::open(const std::string& name, std::uint32_t mtuBytes) {
  const std::string what = "TUN device " + name;
  const Failure taken{"ERR_IKE_TUN_IN_USE", "there is a network device named " + name +
                                                " already (another gateway?); choose another tun.name"};
  if (::if_nametoindex(name.c_str()) != 0) return taken;
  Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd)
    return systemFailure("ERR_IKE_NO_TUN",
                         "/dev/net/tun (the kernel's TUN driver; dataPlane 'portable' needs none)", errno);
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), std::min(name.size(), sizeof request.ifr_name - 1));
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    if (errno == EBUSY || errno == EEXIST) return taken;
    return systemFailure("ERR_IKE_NO_TUN", what, errno);
  }
  // The descriptor is known by this name only inside the kernel's namespace in which it was made; so is the
  // index.
  const int index = static_cast<int>(::if_nametoindex(name.c_str()));
  if (index <= 0) return systemFailure("ERR_IKE_NO_TUN", what, errno);

  // No link-local address: the kernel would send router solicitations into the tunnel. Fails harmlessly
  // without IPv6.
  Outcome<Netlink> netlink = Netlink::open();
  if (!netlink.ok()) return std::move(netlink.failure());
  netlink.value().disableLinkLocal(index);

  const Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  request.ifr_mtu = static_cast<int>(mtuBytes);
  if (!control || ::ioctl(control.get(), SIOCSIFMTU, &request) != 0)
    return systemFailure("ERR_IKE_NO_TUN", what + ": MTU " + std::to_string(mtuBytes), errno);
  if (::ioctl(control.get(), SIOCGIFFLAGS, &request) != 0)
    return systemFailure("ERR_IKE_NO_TUN", what, errno);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0)
    return systemFailure("ERR_IKE_NO_TUN", what + ": up", errno);
  return Tun(std::move(fd), index);
}

std::size_t Tun::read(std::span<std::uint8_t> buffer) const noexcept {
  const ssize_t length = ::read(fd_.get(), buffer.data(), buffer.size());
  return length > 0 ? static_cast<std::size_t>(length) : 0;
}

bool Tun::write(std::span<const std::uint8_t> packet) const noexcept {
  return ::write(fd_.get(), packet.data(), packet.size()) == static_cast<ssize_t>(packet.size());
}

}  // namespace ike
