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
namespace {

/** Newer than some systems' headers: UDP segmentation, both or none (Linux 6.2). */
constexpr unsigned kUso = 0x20 | 0x40;

/** What of it an old kernel does not know it refuses as a whole; without any of it all is done by the kernel.
 */
void askForOffloads(int fd) noexcept {
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  for (const unsigned wanted : {kTcp | kUso, kTcp, unsigned{TUN_F_CSUM}})
    if (::ioctl(fd, TUNSETOFFLOAD, wanted) == 0) return;
}

/** One more descriptor of the device of that name, which makes it if it must. */
Outcome<Fd> attach(ifreq& request, short flags, const std::string& what, const Failure& taken) {
  Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd)
    return systemFailure("ERR_IKE_NO_TUN",
                         "/dev/net/tun (the kernel's TUN driver; dataPlane 'portable' needs none)", errno);
  request.ifr_flags = flags;
  if (::ioctl(fd.get(), TUNSETIFF, &request) == 0) return fd;
  if (errno == EBUSY || errno == EEXIST) return taken;
  return systemFailure("ERR_IKE_NO_TUN", what, errno);
}

/** The kernel gives a flow the queue through which its packets were written last. Through a descriptor whose
 * queue is taken out it may still be written, and nothing is learnt: flows stay where their hash puts them.
 */
bool takeOut(const Fd& fd) noexcept {
  ifreq request{};
  request.ifr_flags = IFF_DETACH_QUEUE;
  return ::ioctl(fd.get(), TUNSETQUEUE, &request) == 0;
}

}  // namespace

Outcome<Tun> Tun::open(const std::string& name, std::uint32_t mtuBytes, bool offloads, std::size_t queues) {
  const std::string what = "TUN device " + name;
  const Failure taken{"ERR_IKE_TUN_IN_USE", "there is a network device named " + name +
                                                " already (another gateway?); choose another tun.name"};
  if (::if_nametoindex(name.c_str()) != 0) return taken;
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), std::min(name.size(), sizeof request.ifr_name - 1));
  const int flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0);
  std::vector<Fd> fds;
  // The one that is written to is the last, so that taking it out leaves the others' numbers as they are.
  for (std::size_t i = 0; i < (queues > 1 ? queues + 1 : 1); i++) {
    const int exclusive = i == 0 ? IFF_TUN_EXCL : 0;
    Outcome<Fd> fd = attach(request, static_cast<short>(flags | exclusive), what, taken);
    if (!fd.ok()) return std::move(fd.failure());
    fds.push_back(std::move(fd.value()));
  }
  if (queues > 1 && !takeOut(fds.back())) return systemFailure("ERR_IKE_NO_TUN", what + ": queues", errno);
  if (offloads) askForOffloads(fds.front().get());
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
  return Tun(std::move(fds), index);
}

std::size_t Tun::read(std::size_t queue, VnetHeader& header, std::span<std::uint8_t> buffer) const noexcept {
  const iovec pieces[] = {{&header, sizeof header}, {buffer.data(), buffer.size()}};
  const ssize_t length = ::readv(queues_[queue].get(), pieces, 2);
  constexpr auto kBefore = static_cast<ssize_t>(sizeof header);
  return length > kBefore ? static_cast<std::size_t>(length - kBefore) : 0;
}

bool Tun::write(std::span<const iovec> pieces) const noexcept {
  return ::writev(queues_.back().get(), pieces.data(), static_cast<int>(pieces.size())) > 0;
}

}  // namespace ike
