// A buffer from the kernel's XFRM socket, as it may come: messages are taken apart as answers, as events and
// as an SA that is to move. Nothing may be read past a message's end, no result may be larger than its
// message, and an SA that moves must say the same of itself at its new place.
#include <netinet/in.h>

#include "fuzz/fuzz.h"
#include "net/netlink-reader.h"
#include "xfrm/moved-sa.h"
#include "xfrm/policy-request.h"
#include "xfrm/reply.h"

namespace {

using ike::Address;
using ike::NetlinkPart;
using ike::NetlinkParts;
namespace xfrm = ike::xfrm;

constexpr std::uint8_t kSource[] = {198, 51, 100, 1};
constexpr std::uint8_t kDestination[] = {198, 51, 100, 2};

void move(const NetlinkPart& part, bool encapsulated) {
  xfrm::Path path{Address::from(kSource), Address::from(kDestination), {}};
  if (encapsulated) path.encapsulation = xfrm::Encapsulation{2, 4500, 4501};
  auto moved = xfrm::moveSa(part, path);
  if (!moved) return;
  const auto bytes = moved->request.finish(7);
  FUZZ_CHECK(bytes.size() <= part.body.size() + 16 + 1024);
  NetlinkParts parts(bytes);
  const auto request = parts.next();
  FUZZ_CHECK(request.has_value() && !parts.next() && !parts.truncated());
  const auto before = xfrm::readSa(part);
  // What is no SA of ours moves as well; it is only never asked for.
  if (!before || moved->portsOnly) return;
  const auto after = xfrm::readSa(*request);
  FUZZ_CHECK(after.has_value());
  FUZZ_CHECK(after->key.spi == before->key.spi && after->reqid == before->reqid);
  FUZZ_CHECK(after->key.source == path.source && after->key.destination == path.destination);
  FUZZ_CHECK(after->sequence >= before->sequence && after->larval == before->larval);
  FUZZ_CHECK(after->limits.hardBytes == before->limits.hardBytes && after->ifId == before->ifId);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Of its own length, so that a sanitizer sees its end.
  const std::vector<std::uint8_t> buffer(data, data + size);
  NetlinkParts parts(buffer);
  std::size_t seen = 0;
  while (const auto part = parts.next()) {
    seen += sizeof(nlmsghdr) + part->body.size();
    if (const auto verdict = ike::readVerdict(*part))
      FUZZ_CHECK(verdict->error >= 0 && verdict->words.size() <= 256 && verdict->words.size() <= size);
    if (const auto sa = xfrm::readSa(*part)) FUZZ_CHECK(sa->key.destination.length != 0);
    if (const auto policy = xfrm::readPolicy(*part))
      FUZZ_CHECK(policy->templates.size() <= xfrm::kMaxTemplates);
    const auto event = xfrm::readEvent(*part);
    FUZZ_CHECK(!event || xfrm::isEvent(*part));
    move(*part, false);
    move(*part, true);
  }
  FUZZ_CHECK(seen <= size);
  return 0;
}
