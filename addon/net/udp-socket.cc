// Options, recvmmsg and sendmmsg, and the control messages that carry local addresses.
#include "net/udp-socket.h"

#include <poll.h>

#include <cerrno>
#include <cstring>

namespace ike {
namespace {

constexpr int kSocketBufferBytes = 8 << 20;
constexpr int kSendWaitMs = 10;

bool setOption(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/** Writes the control message that sets a datagram's source address. Returns its length. */
std::size_t writeSource(const Address& local, UdpBatch::Control& control) noexcept {
  auto* const header = reinterpret_cast<cmsghdr*>(control.bytes.data());
  if (local.isV6()) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.bytes.data(), 16);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(header), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
  }
  in_pktinfo info{};
  std::memcpy(&info.ipi_spec_dst, local.bytes.data(), 4);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
  return CMSG_SPACE(sizeof info);
}

Address readDestination(msghdr& header) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      std::uint8_t bytes[4];
      std::memcpy(bytes, &info.ipi_addr, 4);
      return Address::from(bytes);
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return Address::from(info.ipi6_addr.s6_addr);
    }
  }
  return {};
}

}  // namespace

UdpBatch::UdpBatch() {
  for (std::size_t i = 0; i < kBatch; i++) {
    msghdr& header = headers[i].msg_hdr;
    header.msg_iov = &vectors[i];
    header.msg_iovlen = 1;
    header.msg_name = &names[i];
    header.msg_control = controls[i].bytes.data();
  }
}

Outcome<UdpSocket> UdpSocket::open(const Endpoint& local, std::uint32_t mark) {
  const std::string what = "UDP socket on " + local.text();
  Fd fd(::socket(local.address.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return systemFailure("ERR_IKE_NO_ADDRESS", what, errno);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return systemFailure("ERR_IKE_SYSTEM", what + ": SO_MARK", errno);
  // FORCE passes the host's limit and may not be allowed; then the limit is what we get.
  for (const auto& [force, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}})
    if (!setOption(fd.get(), SOL_SOCKET, force, kSocketBufferBytes))
      setOption(fd.get(), SOL_SOCKET, plain, kSocketBufferBytes);
  // The outer packet may be fragmented: a tunnel that silently eats large packets is worse.
  const bool options = local.address.isV6()
                           ? setOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                                 setOption(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
                                 setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT)
                           : setOption(fd.get(), IPPROTO_IP, IP_PKTINFO, 1) &&
                                 setOption(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  if (!options) return systemFailure("ERR_IKE_SYSTEM", what + ": socket options", errno);

  sockaddr_storage storage;
  socklen_t length = toSockaddr(local, storage);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
    if (errno == EADDRINUSE)
      return Failure{"ERR_IKE_PORT_IN_USE",
                     local.text() + "/udp is in use by another program (another IKE daemon?)"};
    return systemFailure("ERR_IKE_NO_ADDRESS", what, errno);
  }
  length = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return systemFailure("ERR_IKE_SYSTEM", what, errno);
  return UdpSocket(std::move(fd), fromSockaddr(storage));
}

std::size_t UdpSocket::receive(UdpBatch& batch, std::span<UdpDatagram> datagrams) const noexcept {
  const std::size_t count = std::min(datagrams.size(), kBatch);
  for (std::size_t i = 0; i < count; i++) {
    batch.vectors[i] = {datagrams[i].data.data(), datagrams[i].data.size()};
    batch.headers[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    batch.headers[i].msg_hdr.msg_control = batch.controls[i].bytes.data();
    batch.headers[i].msg_hdr.msg_controllen = UdpBatch::kControlBytes;
  }
  const int received =
      ::recvmmsg(fd_.get(), batch.headers.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  if (received <= 0) return 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); i++) {
    datagrams[i].data = datagrams[i].data.first(batch.headers[i].msg_len);
    datagrams[i].remote = fromSockaddr(batch.names[i]);
    datagrams[i].local = readDestination(batch.headers[i].msg_hdr);
  }
  return static_cast<std::size_t>(received);
}

void UdpSocket::send(UdpBatch& batch, std::span<UdpDatagram> datagrams, int waits) const noexcept {
  datagrams = datagrams.first(std::min(datagrams.size(), kBatch));
  for (std::size_t i = 0; i < datagrams.size(); i++) {
    UdpDatagram& datagram = datagrams[i];
    datagram.error = 0;
    batch.vectors[i] = {datagram.data.data(), datagram.data.size()};
    msghdr& header = batch.headers[i].msg_hdr;
    header.msg_namelen = toSockaddr(datagram.remote, batch.names[i]);
    const bool choose =
        !datagram.local.unspecified() && datagram.local.length == datagram.remote.address.length;
    header.msg_control = choose ? batch.controls[i].bytes.data() : nullptr;
    header.msg_controllen = choose ? writeSource(datagram.local, batch.controls[i]) : 0;
  }
  std::size_t done = 0;
  while (done < datagrams.size()) {
    const int sent = ::sendmmsg(fd_.get(), batch.headers.data() + done,
                                static_cast<unsigned>(datagrams.size() - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if ((errno == EAGAIN || errno == ENOBUFS) && waits-- > 0) {
      pollfd writable{fd_.get(), POLLOUT, 0};
      ::poll(&writable, 1, kSendWaitMs);
      continue;
    }
    datagrams[done++].error = errno;
  }
}

Outcome<Address> sourceAddressFor(const Endpoint& remote, std::uint32_t mark) {
  const std::string what = "no route to " + remote.text();
  const Fd fd(::socket(remote.address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return systemFailure("ERR_IKE_NO_ROUTE", what, errno);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return systemFailure("ERR_IKE_SYSTEM", what + ": SO_MARK", errno);
  sockaddr_storage storage;
  socklen_t length = toSockaddr(remote, storage);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0)
    return Failure{"ERR_IKE_NO_ROUTE", describe(what, errno)};
  length = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return systemFailure("ERR_IKE_NO_ROUTE", what, errno);
  return fromSockaddr(storage).address;
}

}  // namespace ike
