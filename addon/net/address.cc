// Addresses to text and to sockaddr and back, and the words for failed system calls.
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "net/outcome.h"

namespace ike {

bool Address::unspecified() const noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::string Address::text() const {
  if (length == 0) return "(none)";
  char buffer[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family(), bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::string Endpoint::text() const {
  std::string text;
  if (address.isV6()) text += '[';
  text += address.text();
  if (address.isV6()) text += ']';
  text += ':';
  text += std::to_string(port);
  return text;
}

socklen_t toSockaddr(const Endpoint& endpoint, sockaddr_storage& storage) noexcept {
  std::memset(&storage, 0, sizeof storage);
  if (endpoint.address.isV6()) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), 16);
    std::memcpy(&storage, &v6, sizeof v6);
    return sizeof v6;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(endpoint.port);
  std::memcpy(&v4.sin_addr, endpoint.address.bytes.data(), 4);
  std::memcpy(&storage, &v4, sizeof v4);
  return sizeof v4;
}

Endpoint fromSockaddr(const sockaddr_storage& storage) noexcept {
  Endpoint endpoint;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    std::memcpy(endpoint.address.bytes.data(), &v4.sin_addr, 4);
    endpoint.address.length = 4;
    endpoint.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    std::memcpy(endpoint.address.bytes.data(), &v6.sin6_addr, 16);
    endpoint.address.length = 16;
    endpoint.port = ntohs(v6.sin6_port);
  }
  return endpoint;
}

std::string describe(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

Failure systemFailure(const char* code, const std::string& what, int error) {
  if (error == EPERM || error == EACCES)
    return {"ERR_IKE_PRIVILEGE",
            describe(what, error) +
                ". The engine needs CAP_NET_ADMIN (and CAP_NET_BIND_SERVICE for ports below "
                "1024); dataPlane 'portable' with ports from 1024 works without"};
  return {code, describe(what, error)};
}

}  // namespace ike
