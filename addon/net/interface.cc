// One walk through the host's addresses.
#include "net/interface.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace ike {

int interfaceOf(const Address& address) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return 0;
  int index = 0;
  for (const ifaddrs* entry = list; entry != nullptr && index == 0; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ifa_addr, family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if (fromSockaddr(storage).address == address) index = static_cast<int>(::if_nametoindex(entry->ifa_name));
  }
  ::freeifaddrs(list);
  return index;
}

}  // namespace ike
