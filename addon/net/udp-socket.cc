// Options, recvmmsg and sendmmsg, and the control messages that carry local addresses.
#include "net/udp-socket.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/error-queue.h"

namespace ike {
namespace {

constexpr int kSocketBufferBytes = 8 << 20;
constexpr int kSendWaitMs = 10;
/** Newer than some systems' headers. */
constexpr int kUdpSegment = 103;
constexpr int kUdpGro = 104;
/** What one message may hold: as much as a UDP datagram over IPv4 with options can. */
constexpr std::size_t kMaxMessageBytes = 65535 - 60 - 8;
constexpr std::size_t kMaxSegments = 64;

bool setOption(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool setFragments(int fd, bool v6, bool forbidden) noexcept {
  return v6 ? setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                        forbidden ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT)
            : setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, forbidden ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
}

/** Writes the control message that sets a datagram's source address. Returns its length. */
std::size_t writeSource(const Address& local, std::uint8_t* control) noexcept {
  auto* const header = reinterpret_cast<cmsghdr*>(control);
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

/** The one that sets the length of the datagrams in a message. */
std::size_t writeSegment(std::size_t bytes, std::uint8_t* control) noexcept {
  auto* const header = reinterpret_cast<cmsghdr*>(control);
  const auto value = static_cast<std::uint16_t>(bytes);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = kUdpSegment;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  return CMSG_SPACE(sizeof value);
}

/** The one that sets DSCP and ECN. */
std::size_t writeTos(std::uint8_t tos, bool v6, std::uint8_t* control) noexcept {
  auto* const header = reinterpret_cast<cmsghdr*>(control);
  const int value = tos;
  header->cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  header->cmsg_type = v6 ? IPV6_TCLASS : IP_TOS;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
  return CMSG_SPACE(sizeof value);
}

/** Where a message was sent to, its DSCP and ECN, and the length of the datagrams in it. */
void readControl(msghdr& header, UdpDatagram& datagram) noexcept {
  datagram.local = {};
  datagram.segmentBytes = 0;
  datagram.tos = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      std::uint8_t bytes[4];
      std::memcpy(bytes, &info.ipi_addr, 4);
      datagram.local = Address::from(bytes);
    }
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      datagram.local = Address::from(info.ipi6_addr.s6_addr);
    }
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) datagram.tos = *CMSG_DATA(c);
    if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
      int value = 0;
      std::memcpy(&value, CMSG_DATA(c), sizeof value);
      datagram.tos = static_cast<std::uint8_t>(value);
    }
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == kUdpGro) {
      int bytes = 0;
      std::memcpy(&bytes, CMSG_DATA(c), sizeof bytes);
      if (bytes > 0) datagram.segmentBytes = static_cast<std::size_t>(bytes);
    }
  }
  if (datagram.segmentBytes == 0) datagram.segmentBytes = datagram.data.size();
}

}  // namespace

UdpBatch::UdpBatch() {
  for (std::size_t i = 0; i < kBatch; i++) {
    msghdr& header = headers[i].msg_hdr;
    header.msg_iov = &vectors[i];
    header.msg_iovlen = 1;
    header.msg_name = &names[i];
  }
}

Outcome<UdpSocket> UdpSocket::open(const Endpoint& local, std::uint32_t mark, bool offloads,
                                   bool discoversMtu) {
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
  const bool v6 = local.address.isV6();
  const bool options = (v6 ? setOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
                                 setOption(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
                                 setOption(fd.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
                           : setOption(fd.get(), IPPROTO_IP, IP_PKTINFO, 1) &&
                                 setOption(fd.get(), IPPROTO_IP, IP_RECVTOS, 1)) &&
                       setFragments(fd.get(), v6, discoversMtu) &&
                       (!discoversMtu || enableErrorQueue(fd.get(), v6));
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
  // An old kernel knows neither; then each datagram is a message.
  const bool segments = offloads && setOption(fd.get(), IPPROTO_UDP, kUdpSegment, 0);
  if (offloads) setOption(fd.get(), IPPROTO_UDP, kUdpGro, 1);
  UdpSocket opened(std::move(fd), fromSockaddr(storage), segments);
  if (discoversMtu) opened.fragmenting_ = std::make_unique<std::mutex>();
  return opened;
}

std::size_t UdpSocket::receive(UdpBatch& batch, std::span<UdpDatagram> datagrams) const noexcept {
  const std::size_t count = std::min(datagrams.size(), kBatch);
  for (std::size_t i = 0; i < count; i++) {
    batch.vectors[i] = {datagrams[i].data.data(), datagrams[i].data.size()};
    batch.headers[i].msg_hdr.msg_iov = &batch.vectors[i];
    batch.headers[i].msg_hdr.msg_iovlen = 1;
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
    readControl(batch.headers[i].msg_hdr, datagrams[i]);
  }
  return static_cast<std::size_t>(received);
}

/** Makes messages of datagrams, as many as go together in each; how many messages. */
std::size_t UdpSocket::gather(UdpBatch& batch, std::span<UdpDatagram> datagrams) const noexcept {
  std::size_t messages = 0;
  for (std::size_t i = 0; i < datagrams.size();) {
    const UdpDatagram& first = datagrams[i];
    const std::size_t start = i;
    std::size_t totalBytes = 0;
    const std::size_t segmentBytes = first.data.size();
    const bool alone =
        !segments_ || first.mayFragment || segmentBytes == 0 || segmentBytes >= batch.refusedBytes;
    do {
      batch.vectors[i] = {datagrams[i].data.data(), datagrams[i].data.size()};
      totalBytes += datagrams[i].data.size();
      i++;
      // Only the last may be shorter.
    } while (!alone && i < datagrams.size() && i - start < kMaxSegments &&
             datagrams[i - 1].data.size() == segmentBytes && datagrams[i].data.size() <= segmentBytes &&
             !datagrams[i].data.empty() && totalBytes + datagrams[i].data.size() <= kMaxMessageBytes &&
             datagrams[i].remote == first.remote && datagrams[i].local == first.local &&
             datagrams[i].tos == first.tos);
    msghdr& header = batch.headers[messages].msg_hdr;
    header.msg_iov = &batch.vectors[start];
    header.msg_iovlen = i - start;
    header.msg_namelen = toSockaddr(first.remote, batch.names[messages]);
    std::uint8_t* const control = batch.controls[messages].bytes.data();
    std::size_t controlBytes = 0;
    if (!first.local.unspecified() && first.local.length == first.remote.address.length)
      controlBytes = writeSource(first.local, control);
    if (first.tos != 0)
      controlBytes += writeTos(first.tos, first.remote.address.isV6(), control + controlBytes);
    if (i - start > 1) controlBytes += writeSegment(segmentBytes, control + controlBytes);
    header.msg_control = controlBytes > 0 ? control : nullptr;
    header.msg_controllen = controlBytes;
    messages++;
  }
  return messages;
}

void UdpSocket::send(UdpBatch& batch, std::span<UdpDatagram> datagrams, int waits) const noexcept {
  datagrams = datagrams.first(std::min(datagrams.size(), kBatch));
  while (!datagrams.empty()) {
    const bool mayFragment = datagrams.front().mayFragment;
    const auto end =
        std::find_if(datagrams.begin(), datagrams.end(),
                     [mayFragment](const UdpDatagram& other) { return other.mayFragment != mayFragment; });
    const auto alike = datagrams.first(static_cast<std::size_t>(end - datagrams.begin()));
    datagrams = datagrams.subspan(alike.size());
    if (!mayFragment || fragmenting_ == nullptr) {
      sendAlike(batch, alike, waits);
      continue;
    }
    // The kernel has no control message for it. What other threads send meanwhile may be fragmented too,
    // which is no harm.
    const std::lock_guard lock(*fragmenting_);
    const bool v6 = local_.address.isV6();
    setFragments(fd_.get(), v6, false);
    sendAlike(batch, alike, waits);
    setFragments(fd_.get(), v6, true);
  }
}

void UdpSocket::sendAlike(UdpBatch& batch, std::span<UdpDatagram> datagrams, int& waits) const noexcept {
  for (UdpDatagram& datagram : datagrams) datagram.error = 0;
  // Whether the front one has failed once.
  bool told = false;
  while (!datagrams.empty()) {
    const std::size_t messages = gather(batch, datagrams);
    std::size_t done = 0;
    bool again = false;
    while (done < messages && !again) {
      const int sent = ::sendmmsg(fd_.get(), batch.headers.data() + done,
                                  static_cast<unsigned>(messages - done), MSG_DONTWAIT);
      if (sent > 0) {
        for (int i = 0; i < sent; i++)
          datagrams = datagrams.subspan(batch.headers[done++].msg_hdr.msg_iovlen);
        told = false;
        continue;
      }
      if (errno == EINTR) continue;
      if ((errno == EAGAIN || errno == ENOBUFS) && waits-- > 0) {
        pollfd writable{fd_.get(), POLLOUT, 0};
        ::poll(&writable, 1, kSendWaitMs);
        continue;
      }
      // With an error queue, what an earlier datagram met is told with a later one; the second time it is
      // this one's.
      if (fragmenting_ != nullptr && !told) {
        told = true;
        continue;
      }
      told = false;
      const std::size_t segments = batch.headers[done].msg_hdr.msg_iovlen;
      if (segments > 1 && (errno == EINVAL || errno == EMSGSIZE || errno == EIO || errno == EOPNOTSUPP)) {
        // Not together, then.
        batch.refusedBytes = datagrams.front().data.size();
        again = true;
        continue;
      }
      for (UdpDatagram& failed : datagrams.first(segments)) failed.error = errno;
      datagrams = datagrams.subspan(segments);
      done++;
    }
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
