// A message from the kernel's PF_KEY socket, as it may come: nothing may be read past its end, and no result
// may be larger than its message.
#include <netinet/in.h>

#include "fuzz/fuzz.h"
#include "pfkey/reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Of its own length, so that a sanitizer sees its end.
  const std::vector<std::uint8_t> buffer(data, data + size);
  const auto reading = ike::pfkey::Reading::of(buffer);
  if (!reading) return 0;
  if (const auto sa = ike::pfkey::readSa(*reading)) {
    FUZZ_CHECK(sa->key.destination.length != 0);
    FUZZ_CHECK(sa->key.protocol == IPPROTO_ESP || sa->key.protocol == IPPROTO_AH);
  }
  if (const auto policy = ike::pfkey::readPolicy(*reading))
    FUZZ_CHECK(policy->templates.size() <= size / sizeof(sadb_ext));
  for (const std::uint16_t type : {SADB_EXT_SUPPORTED_AUTH, SADB_EXT_SUPPORTED_ENCRYPT})
    FUZZ_CHECK(ike::pfkey::readSupported(*reading, type).size() <= size / sizeof(sadb_alg));
  static_cast<void>(ike::pfkey::readEvent(*reading));
  return 0;
}
