// The bad network between two gateways (lossy.test.ts). `forwarder plain DEVICE` turns the offloads of a
// device off, so that what crosses it are the packets of the wire. `forwarder DEVICE DEVICE SEED MARKER`
// carries frames from each device to the other until its input ends: of those with ESP in UDP it loses 5 %,
// sends 3 % twice and lets 5 % be overtaken by up to 20 others, by the seed. Then it prints what it did as
// JSON, with how often it saw the marker.
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <string_view>
#include <vector>

namespace {

using Frame = std::vector<char>;

constexpr unsigned kLostPercent = 5;
constexpr unsigned kTwicePercent = 3;
constexpr unsigned kLatePercent = 5;
constexpr unsigned kMaxOvertaking = 20;
/** After so long without a frame those that wait go. */
constexpr int kIdleMs = 5;

struct Late {
  Frame frame;
  unsigned left;
};

struct Counts {
  unsigned long esp = 0;
  unsigned long lost = 0;
  unsigned long twice = 0;
  unsigned long late = 0;
  unsigned long sent = 0;
};

struct Direction {
  int from;
  int to;
  std::deque<Late> late;
  Counts counts;
};

[[noreturn]] void give(const char* what) {
  std::perror(what);
  std::exit(1);
}

int makePlain(const char* device) {
  const int control = ::socket(AF_INET, SOCK_DGRAM, 0);
  for (const std::uint32_t command : {ETHTOOL_SGRO, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM}) {
    ethtool_value value{.cmd = command, .data = 0};
    ifreq request{};
    std::strncpy(request.ifr_name, device, sizeof request.ifr_name - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    if (::ioctl(control, SIOCETHTOOL, &request) != 0) give(device);
  }
  return 0;
}

int openDevice(const char* device) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device));
  const int yes = 1;
  const int bufferBytes = 16 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bufferBytes, sizeof bufferBytes);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bufferBytes, sizeof bufferBytes);
  if (fd < 0 || ::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    give(device);
  return fd;
}

/** ESP in UDP over IPv4: port 4500, and no zero where a SPI would be. */
bool isEsp(const Frame& frame) {
  if (frame.size() < 46 || frame[12] != 8 || frame[13] != 0 || frame[14] != 0x45 || frame[23] != IPPROTO_UDP)
    return false;
  std::uint16_t port = 0;
  std::memcpy(&port, &frame[36], 2);
  return ntohs(port) == 4500 && std::memcmp(&frame[42], "\0\0\0\0", 4) != 0;
}

void send(Direction& way, const Frame& frame, bool esp) {
  if (::send(way.to, frame.data(), frame.size(), 0) < 0) give("send");
  if (esp) way.counts.sent++;
}

void letGo(Direction& way, unsigned passed) {
  std::deque<Late> still;
  for (Late& late : way.late) {
    late.left -= std::min(late.left, passed);
    if (late.left == 0)
      send(way, late.frame, true);
    else
      still.push_back(std::move(late));
  }
  way.late = std::move(still);
}

void carry(Direction& way, Frame frame, std::mt19937& random) {
  if (!isEsp(frame)) {
    send(way, frame, false);
    return;
  }
  way.counts.esp++;
  unsigned fate = static_cast<unsigned>(random() % 100);
  if (fate < kLostPercent) {
    way.counts.lost++;
  } else if ((fate -= kLostPercent) < kTwicePercent) {
    way.counts.twice++;
    send(way, frame, true);
    // The second one is overtaken too, now and then.
    if (random() % 2 == 0)
      send(way, frame, true);
    else
      way.late.push_back({std::move(frame), static_cast<unsigned>(1 + random() % kMaxOvertaking)});
  } else if ((fate -= kTwicePercent) < kLatePercent) {
    way.counts.late++;
    way.late.push_back({std::move(frame), static_cast<unsigned>(1 + random() % kMaxOvertaking)});
  } else {
    send(way, frame, true);
  }
  letGo(way, 1);
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 3 && std::string_view(arguments[1]) == "plain") return makePlain(arguments[2]);
  if (count != 5) return 2;
  const int one = openDevice(arguments[1]);
  const int other = openDevice(arguments[2]);
  Direction ways[] = {{one, other, {}, {}}, {other, one, {}, {}}};
  std::mt19937 random(static_cast<std::uint32_t>(std::atol(arguments[3])));
  const std::string_view marker = arguments[4];
  unsigned long seen = 0;
  std::puts("ready");
  std::fflush(stdout);
  pollfd waits[] = {{one, POLLIN, 0}, {other, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (waits[2].revents == 0) {
    if (::poll(waits, 3, kIdleMs) == 0)
      for (Direction& way : ways) letGo(way, kMaxOvertaking);
    for (std::size_t i = 0; i < 2; i++) {
      if ((waits[i].revents & POLLIN) == 0) continue;
      Frame frame(65536);
      const ssize_t length = ::recv(ways[i].from, frame.data(), frame.size(), 0);
      if (length <= 0) continue;
      frame.resize(static_cast<std::size_t>(length));
      if (std::string_view(frame.data(), frame.size()).find(marker) != std::string_view::npos) seen++;
      carry(ways[i], std::move(frame), random);
    }
  }
  std::printf("{\"seen\":%lu,\"ways\":[", seen);
  for (const Direction& way : ways) {
    const Counts& counts = way.counts;
    std::printf("%s{\"esp\":%lu,\"lost\":%lu,\"twice\":%lu,\"late\":%lu,\"sent\":%lu}",
                &way == ways ? "" : ",", counts.esp, counts.lost, counts.twice, counts.late, counts.sent);
  }
  std::puts("]}");
  return 0;
}
