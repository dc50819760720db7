// Opening, sending, and telling the kernel's datagrams from others.
#include "net/netlink-socket.h"

#include <linux/netlink.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include <cerrno>

namespace ike {

Outcome<NetlinkSocket> NetlinkSocket::open(const Protocol& protocol, std::uint32_t groups, int receiveBytes) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol.number));
  if (!fd)
    return systemFailure(errno == EPROTONOSUPPORT ? protocol.missingCode : "ERR_IKE_SYSTEM", protocol.name,
                         errno);
  const int on = 1;
  // Older kernels have neither; then there are no words, and errors carry the request.
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Beyond the host's limit only with CAP_NET_ADMIN over the host.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receiveBytes, sizeof receiveBytes) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receiveBytes, sizeof receiveBytes);
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return systemFailure("ERR_IKE_SYSTEM", protocol.name, errno);
  return NetlinkSocket(std::move(fd));
}

int NetlinkSocket::send(std::span<const std::uint8_t> message) noexcept {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ssize_t sent = ::sendto(fd_.get(), message.data(), message.size(), 0,
                                reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  return sent < 0 ? errno : 0;
}

NetlinkSocket::Received NetlinkSocket::receive() noexcept {
  using What = Received::What;
  sockaddr_nl from{};
  iovec part{buffer_.get(), kBufferBytes};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  const ssize_t length = ::recvmsg(fd_.get(), &header, 0);
  if (length < 0) {
    if (errno == EAGAIN || errno == EINTR) return {What::nothing, {}};
    return {errno == ENOBUFS ? What::lost : What::failed, {}};
  }
  filled_ = static_cast<std::size_t>(length);
  if (from.nl_pid != 0 || (header.msg_flags & MSG_TRUNC) != 0) return {What::foreign, {}};
  return {What::message, {buffer_.get(), filled_}};
}

void NetlinkSocket::wipe() noexcept { OPENSSL_cleanse(buffer_.get(), filled_); }

}  // namespace ike
