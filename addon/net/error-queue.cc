// recvmsg with MSG_ERRQUEUE, and its control messages.
#include "net/error-queue.h"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ike {
namespace {

/** Of other causes between two that count. */
constexpr std::size_t kMaxOthers = 64;
constexpr std::size_t kControlBytes = 512;

/** Whether it says "too large". */
bool readControl(msghdr& header, PathError& error) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
    const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
    if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) continue;
    sock_extended_err extended;
    std::memcpy(&extended, CMSG_DATA(c), sizeof extended);
    error.mtuBytes = extended.ee_info;
    return extended.ee_errno == EMSGSIZE;
  }
  return false;
}

}  // namespace

bool enableErrorQueue(int fd, bool v6) noexcept {
  const int on = 1;
  return v6 ? ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) == 0
            : ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0;
}

std::size_t readErrorQueue(int fd, std::span<PathError> errors) noexcept {
  std::size_t count = 0;
  for (std::size_t others = 0; count < errors.size() && others < kMaxOthers;) {
    alignas(cmsghdr) std::array<std::uint8_t, kControlBytes> control;
    sockaddr_storage name{};
    msghdr header{};
    header.msg_name = &name;
    header.msg_namelen = sizeof name;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    if (::recvmsg(fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    errors[count].peer = fromSockaddr(name).address;
    if (readControl(header, errors[count]) && errors[count].peer.length > 0)
      count++;
    else
      others++;
  }
  return count;
}

}  // namespace ike
