// Options, recvmmsg and sendmmsg, and the header of IPv6 packets from its parts.
#include "net/raw-socket.h"

#include <poll.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "net/error-queue.h"
#include "net/words.h"

namespace ike {
namespace {

constexpr int kSocketBufferBytes = 8 << 20;
constexpr int kSendWaitMs = 10;
constexpr std::size_t kIpv6Bytes = 40;
/** Newer than some systems' headers. */
constexpr int kIpv6HeaderIncluded = 36;
constexpr int kIpv6FlowInfo = 11;

bool setOption(int fd, int level, int name, int value) noexcept {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Failure refused(const std::string& what, int error) {
  if (error == EPERM || error == EACCES)
    return {"ERR_IKE_PRIVILEGE", describe(what, error) + " (it needs CAP_NET_RAW)"};
  return systemFailure("ERR_IKE_SYSTEM", what, error);
}

/** FORCE passes the host's limit and may not be allowed; then the limit is what we get. */
void enlargeBuffers(int fd) noexcept {
  for (const auto& [force, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}})
    if (!setOption(fd, SOL_SOCKET, force, kSocketBufferBytes))
      setOption(fd, SOL_SOCKET, plain, kSocketBufferBytes);
}

/** Packets come and go with their headers, and too large ones are reported. */
bool setOptions(int fd, bool v6) noexcept {
  if (!enableErrorQueue(fd, v6)) return false;
  if (!v6)
    return setOption(fd, IPPROTO_IP, IP_HDRINCL, 1) &&
           setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  return setOption(fd, IPPROTO_IPV6, kIpv6HeaderIncluded, 1) &&
         setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO) &&
         setOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
         setOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) && setOption(fd, IPPROTO_IPV6, kIpv6FlowInfo, 1) &&
         setOption(fd, IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1) && setOption(fd, IPPROTO_IPV6, IPV6_RECVRTHDR, 1) &&
         setOption(fd, IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1);
}

/** What the kernel tells of an IPv6 packet beside its payload. */
struct Ipv6Parts {
  static constexpr std::size_t kMaxExtensions = 8;
  struct Extension {
    std::uint8_t kind;
    std::span<const std::uint8_t> bytes;
  };

  std::optional<in6_pktinfo> info;
  std::uint32_t flow = 0;
  int hopLimit = 0;
  /** In the packet's order. */
  std::array<Extension, kMaxExtensions> extensions;
  std::size_t count = 0;
  std::size_t extensionBytes = 0;
};

/** The extension header that a control message holds. */
std::optional<std::uint8_t> extensionKind(int type) noexcept {
  if (type == IPV6_HOPOPTS) return IPPROTO_HOPOPTS;
  if (type == IPV6_RTHDR) return IPPROTO_ROUTING;
  if (type == IPV6_DSTOPTS) return IPPROTO_DSTOPTS;
  return std::nullopt;
}

/** False: there is more than fits. */
bool readParts(msghdr& header, Ipv6Parts& parts) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != IPPROTO_IPV6) continue;
    const std::span<const std::uint8_t> value{CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0)};
    if (c->cmsg_type == IPV6_PKTINFO && value.size() == sizeof(in6_pktinfo)) {
      std::memcpy(&parts.info.emplace(), value.data(), value.size());
    } else if (c->cmsg_type == kIpv6FlowInfo && value.size() == sizeof parts.flow) {
      std::memcpy(&parts.flow, value.data(), value.size());
    } else if (c->cmsg_type == IPV6_HOPLIMIT && value.size() == sizeof parts.hopLimit) {
      std::memcpy(&parts.hopLimit, value.data(), value.size());
    } else if (const std::optional<std::uint8_t> kind = extensionKind(c->cmsg_type)) {
      // The next header of each is there; its length says how much of it there is.
      if (value.size() < 8 || value.size() != 8u + std::size_t{value[1]} * 8 ||
          parts.count == Ipv6Parts::kMaxExtensions)
        return false;
      parts.extensions[parts.count++] = {*kind, value};
      parts.extensionBytes += value.size();
    }
  }
  return parts.info.has_value() && kIpv6Bytes + parts.extensionBytes <= RawSocket::kHeaderRoomBytes;
}

/** Writes header and extension headers into `room`, which they fill, in front of `payloadBytes`. The chain of
 * next headers is made anew: of a packet that came in fragments it led through their headers. */
void writeIpv6(const Ipv6Parts& parts, const Address& source, int protocol, std::size_t payloadBytes,
               std::span<std::uint8_t> room) noexcept {
  std::memcpy(room.data(), &parts.flow, sizeof parts.flow);
  room[0] = static_cast<std::uint8_t>(0x60 | (room[0] & 0x0f));
  setWord(room, 4, parts.extensionBytes + payloadBytes);
  room[7] = static_cast<std::uint8_t>(parts.hopLimit);
  std::memcpy(room.data() + 8, source.bytes.data(), 16);
  std::memcpy(room.data() + 24, &parts.info->ipi6_addr, 16);
  std::size_t nextField = 6;
  std::size_t end = kIpv6Bytes;
  for (std::size_t i = 0; i < parts.count; i++) {
    const Ipv6Parts::Extension& extension = parts.extensions[i];
    std::memcpy(room.data() + end, extension.bytes.data(), extension.bytes.size());
    room[nextField] = extension.kind;
    nextField = end;
    end += extension.bytes.size();
  }
  room[nextField] = static_cast<std::uint8_t>(protocol);
}

/** Where a packet goes by its header; no address when it has none. */
Address destinationOf(std::span<const std::uint8_t> packet, bool v6) noexcept {
  if (packet.empty() || packet[0] >> 4 != (v6 ? 6 : 4)) return {};
  if (v6) return packet.size() < kIpv6Bytes ? Address{} : Address::from(packet.subspan(24, 16));
  return packet.size() < 20 ? Address{} : Address::from(packet.subspan(16, 4));
}

}  // namespace

RawBatch::RawBatch() {
  for (std::size_t i = 0; i < kBatch; i++) {
    msghdr& header = headers[i].msg_hdr;
    header.msg_iov = &vectors[i];
    header.msg_iovlen = 1;
    header.msg_name = &names[i];
  }
}

Outcome<RawSocket> RawSocket::open(const Address& local, int protocol, std::uint32_t mark) {
  const std::string what = "raw socket for IP protocol " + std::to_string(protocol) + " on " + local.text();
  Fd fd(::socket(local.family(), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) return refused(what, errno);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return systemFailure("ERR_IKE_SYSTEM", what + ": SO_MARK", errno);
  enlargeBuffers(fd.get());
  if (!setOptions(fd.get(), local.isV6()))
    return systemFailure("ERR_IKE_SYSTEM", what + ": socket options", errno);
  sockaddr_storage storage;
  const socklen_t length = toSockaddr({local, 0}, storage);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0)
    return systemFailure("ERR_IKE_NO_ADDRESS", what, errno);
  return RawSocket(std::move(fd), local, protocol);
}

Outcome<RawSocket> RawSocket::openForBypass(int family, std::uint32_t mark) {
  const std::string what = "raw socket for bypass policies";
  const bool v6 = family == AF_INET6;
  Fd fd(::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd) return refused(what, errno);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)
    return systemFailure("ERR_IKE_SYSTEM", what + ": SO_MARK", errno);
  enlargeBuffers(fd.get());
  const bool discovers = v6 ? setOption(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO)
                            : setOption(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  if (!discovers) return systemFailure("ERR_IKE_SYSTEM", what + ": socket options", errno);
  constexpr std::array<std::uint8_t, 16> kAny{};
  return RawSocket(std::move(fd), Address::from(std::span(kAny).first(v6 ? 16 : 4)), IPPROTO_RAW);
}

std::size_t RawSocket::receive(RawBatch& batch, std::span<RawDatagram> datagrams) const noexcept {
  const bool v6 = local_.isV6();
  const std::size_t before = v6 ? kHeaderRoomBytes : 0;
  const std::size_t count = std::min(datagrams.size(), kBatch);
  for (std::size_t i = 0; i < count; i++) {
    const std::span<std::uint8_t> room =
        datagrams[i].data.subspan(std::min(before, datagrams[i].data.size()));
    batch.vectors[i] = {room.data(), room.size()};
    batch.headers[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    batch.headers[i].msg_hdr.msg_control = v6 ? batch.controls[i].bytes.data() : nullptr;
    batch.headers[i].msg_hdr.msg_controllen = v6 ? RawBatch::kControlBytes : 0;
  }
  const int received =
      ::recvmmsg(fd_.get(), batch.headers.data(), static_cast<unsigned>(count), MSG_DONTWAIT, nullptr);
  if (received <= 0) return 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(received); i++) {
    RawDatagram& datagram = datagrams[i];
    msghdr& header = batch.headers[i].msg_hdr;
    const std::size_t lengthBytes = batch.headers[i].msg_len;
    Ipv6Parts parts;
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || (v6 && !readParts(header, parts))) {
      datagram.data = {};
      datagram.error = EMSGSIZE;
      continue;
    }
    datagram.error = 0;
    if (!v6) {
      datagram.data = datagram.data.first(lengthBytes);
      continue;
    }
    const std::size_t headerBytes = kIpv6Bytes + parts.extensionBytes;
    datagram.data = datagram.data.subspan(before - headerBytes, headerBytes + lengthBytes);
    writeIpv6(parts, fromSockaddr(batch.names[i]).address, protocol_, lengthBytes,
              datagram.data.first(headerBytes));
  }
  return static_cast<std::size_t>(received);
}

void RawSocket::send(RawBatch& batch, std::span<RawDatagram> datagrams, int waits) const noexcept {
  datagrams = datagrams.first(std::min(datagrams.size(), kBatch));
  const bool v6 = local_.isV6();
  std::array<RawDatagram*, kBatch> sending;
  std::size_t count = 0;
  for (RawDatagram& datagram : datagrams) {
    const Address destination = destinationOf(datagram.data, v6);
    datagram.error = destination.length == 0 ? EINVAL : 0;
    if (datagram.error != 0) continue;
    batch.vectors[count] = {datagram.data.data(), datagram.data.size()};
    msghdr& header = batch.headers[count].msg_hdr;
    header.msg_namelen = toSockaddr({destination, 0}, batch.names[count]);
    header.msg_control = nullptr;
    header.msg_controllen = 0;
    sending[count++] = &datagram;
  }
  bool told = false;
  for (std::size_t done = 0; done < count;) {
    const int sent =
        ::sendmmsg(fd_.get(), batch.headers.data() + done, static_cast<unsigned>(count - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
      told = false;
      continue;
    }
    if (errno == EINTR) continue;
    if ((errno == EAGAIN || errno == ENOBUFS) && waits-- > 0) {
      pollfd writable{fd_.get(), POLLOUT, 0};
      ::poll(&writable, 1, kSendWaitMs);
      continue;
    }
    // What an earlier packet met is told with a later one; the second time it is this one's.
    if (!told) {
      told = true;
      continue;
    }
    told = false;
    sending[done++]->error = errno;
  }
}

}  // namespace ike
