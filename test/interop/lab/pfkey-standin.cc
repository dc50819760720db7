// A stand-in for the kernel's PF_KEY socket, preloaded into OpenIKED where the kernel has none. The socket
// that the daemon asks for is a datagram socket connected to itself: what it writes comes back as the
// kernel's answer without an error, for PF_KEY answers repeat the request. Only a request for an SPI must be
// answered with one. Each SA that passes by is told on standard error with its keys, for the test to compare.
// IPsec policies on sockets are agreed to. No packet is protected by any of it.

#include <dlfcn.h>
#include <linux/pfkeyv2.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::array<char, 14> kName{"pfkey-standin"};
constexpr std::size_t kUnit = 8;

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_standin(int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  return address.sun_family == AF_UNIX && length > offsetof(sockaddr_un, sun_path) + kName.size() &&
         std::memcmp(address.sun_path + 1, kName.data(), kName.size() - 1) == 0;
}

int open_standin() {
  const int fd = next<decltype(::socket)>("socket")(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0) return -1;
  // An abstract name: the daemon's processes live in different roots.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, kName.data(), kName.size());
  const std::uint32_t pid = static_cast<std::uint32_t>(getpid());
  std::memcpy(address.sun_path + 1 + kName.size(), &pid, sizeof pid);
  const socklen_t length = offsetof(sockaddr_un, sun_path) + 1 + kName.size() + sizeof pid;
  auto* self = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, self, length) == 0 && connect(fd, self, length) == 0) return fd;
  close(fd);
  return -1;
}

std::string hex(const std::uint8_t* octets, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; i++) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", octets[i]);
    text += digits.data();
  }
  return text;
}

/** Tells SPI and keys of a message that adds or updates an SA. */
void tell_sa(const std::vector<std::uint8_t>& message) {
  std::string spi, encryption, integrity;
  std::size_t at = sizeof(sadb_msg);
  while (at + sizeof(sadb_ext) <= message.size()) {
    sadb_ext header{};
    std::memcpy(&header, &message[at], sizeof header);
    const std::size_t length = header.sadb_ext_len * kUnit;
    if (length < sizeof header || at + length > message.size()) return;
    if (header.sadb_ext_type == SADB_EXT_SA && length >= sizeof(sadb_sa))
      spi = hex(&message[at + offsetof(sadb_sa, sadb_sa_spi)], 4);
    if (header.sadb_ext_type == SADB_EXT_KEY_ENCRYPT || header.sadb_ext_type == SADB_EXT_KEY_AUTH) {
      sadb_key key{};
      std::memcpy(&key, &message[at], sizeof key);
      const std::size_t octets = key.sadb_key_bits / 8u;
      if (sizeof key + octets > length) return;
      auto& text = header.sadb_ext_type == SADB_EXT_KEY_ENCRYPT ? encryption : integrity;
      text = hex(&message[at + sizeof key], octets);
    }
    at += length;
  }
  std::fprintf(stderr, "pfkey-standin: sa %s encryption %s integrity %s\n", spi.c_str(), encryption.c_str(),
               integrity.c_str());
}

/** The message of a scattered write, whole. */
std::vector<std::uint8_t> gather(const iovec* parts, int count) {
  std::vector<std::uint8_t> message;
  for (int i = 0; i < count; i++) {
    const auto* octets = static_cast<const std::uint8_t*>(parts[i].iov_base);
    message.insert(message.end(), octets, octets + parts[i].iov_len);
  }
  return message;
}

}  // namespace

extern "C" int socket(int domain, int type, int protocol) noexcept {
  if (domain == AF_KEY) return open_standin();
  return next<decltype(::socket)>("socket")(domain, type, protocol);
}

extern "C" int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  const bool policy = (level == IPPROTO_IP && option == IP_IPSEC_POLICY) ||
                      (level == IPPROTO_IPV6 && option == IPV6_IPSEC_POLICY);
  return policy ? 0 : next<decltype(::setsockopt)>("setsockopt")(fd, level, option, value, length);
}

extern "C" ssize_t writev(int fd, const iovec* parts, int count) {
  auto* real = next<decltype(::writev)>("writev");
  if (!is_standin(fd)) return real(fd, parts, count);
  const std::vector<std::uint8_t> message = gather(parts, count);
  sadb_msg header{};
  if (message.size() < sizeof header) return -1;
  std::memcpy(&header, message.data(), sizeof header);
  if (header.sadb_msg_type == SADB_ADD || header.sadb_msg_type == SADB_UPDATE) tell_sa(message);
  if (header.sadb_msg_type != SADB_GETSPI) return real(fd, parts, count);

  sadb_sa sa{};
  sa.sadb_sa_len = sizeof sa / kUnit;
  sa.sadb_sa_exttype = SADB_EXT_SA;
  if (getrandom(&sa.sadb_sa_spi, sizeof sa.sadb_sa_spi, 0) != sizeof sa.sadb_sa_spi) return -1;
  // In network order this sets the highest octet: no reserved SPI.
  sa.sadb_sa_spi |= 0x80;
  header.sadb_msg_len = (sizeof header + sizeof sa) / kUnit;
  const std::array<iovec, 2> answer{{{&header, sizeof header}, {&sa, sizeof sa}}};
  return real(fd, answer.data(), answer.size()) < 0 ? -1 : static_cast<ssize_t>(message.size());
}
