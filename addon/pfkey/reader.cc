// Extensions of types that this header does not know are passed over.
#include "pfkey/reader.h"

#include <netinet/in.h>

#include "pfkey/message.h"

namespace ike::pfkey {

std::optional<Reading> Reading::of(std::span<const std::uint8_t> bytes) noexcept {
  const auto header = structureAt<sadb_msg>(bytes);
  if (!header || header->sadb_msg_version != PF_KEY_V2) return std::nullopt;
  if (header->sadb_msg_len * kUnitBytes != bytes.size()) return std::nullopt;
  Reading reading;
  reading.header_ = *header;
  std::span<const std::uint8_t> rest = bytes.subspan(sizeof(sadb_msg));
  while (!rest.empty()) {
    const auto extension = structureAt<sadb_ext>(rest);
    if (!extension) return std::nullopt;
    const std::size_t lengthBytes = extension->sadb_ext_len * kUnitBytes;
    if (lengthBytes == 0 || lengthBytes > rest.size()) return std::nullopt;
    if (extension->sadb_ext_type <= SADB_EXT_MAX) {
      auto& place = reading.extensions_[extension->sadb_ext_type];
      if (!place.empty()) return std::nullopt;
      place = rest.first(lengthBytes);
    }
    rest = rest.subspan(lengthBytes);
  }
  return reading;
}

std::optional<Reading::Side> Reading::side(std::uint16_t type) const noexcept {
  const auto address = get<sadb_address>(type);
  if (!address) return std::nullopt;
  return Side{endpointAt(extensions_[type].subspan(sizeof(sadb_address))), address->sadb_address_prefixlen,
              address->sadb_address_proto};
}

Endpoint endpointAt(std::span<const std::uint8_t> bytes) noexcept {
  const auto family = structureAt<sa_family_t>(bytes);
  if (!family) return {};
  const std::size_t needed = *family == AF_INET    ? sizeof(sockaddr_in)
                             : *family == AF_INET6 ? sizeof(sockaddr_in6)
                                                   : SIZE_MAX;
  if (bytes.size() < needed) return {};
  sockaddr_storage storage{};
  std::memcpy(&storage, bytes.data(), needed);
  return fromSockaddr(storage);
}

}  // namespace ike::pfkey
