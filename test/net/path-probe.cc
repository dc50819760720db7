// A program that path.test.ts runs in network namespaces: it opens the engine's sockets and does with them
// what each line of its input says; each line of its output is the answer. Addresses are text, packets
// hexadecimal.
#include <arpa/inet.h>
#include <poll.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "net/error-queue.h"
#include "net/raw-socket.h"
#include "net/tun.h"
#include "net/udp-socket.h"
#include "path/icmp.h"
#include "path/path-mtu.h"

namespace {

using namespace ike;
using Bytes = std::vector<std::uint8_t>;

constexpr int kWaitMs = 3000;

Address address(const std::string& text) {
  std::uint8_t bytes[16];
  if (::inet_pton(AF_INET, text.c_str(), bytes) == 1) return Address::from(std::span(bytes, 4));
  if (::inet_pton(AF_INET6, text.c_str(), bytes) == 1) return Address::from(std::span(bytes, 16));
  return {};
}

Bytes fromHex(const std::string& text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::string toHex(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    text += two;
  }
  return text;
}

std::optional<RawSocket> raw;
std::optional<UdpSocket> udp;
RawBatch rawBatch;
UdpBatch udpBatch;

int socketFd() { return raw ? raw->fd() : udp->fd(); }

bool wait(short what) {
  pollfd ready{socketFd(), what, 0};
  return ::poll(&ready, 1, kWaitMs) > 0 && (ready.revents & (what | POLLERR)) != 0;
}

std::string opened(const Failure& failure) { return std::string(failure.code) + " " + failure.message; }

std::string open(std::istringstream& in) {
  std::string kind, local;
  std::uint32_t mark = 0;
  in >> kind >> local >> mark;
  raw.reset();
  udp.reset();
  udpBatch.refusedBytes = SIZE_MAX;
  if (kind == "udp") {
    std::uint16_t port = 0;
    bool offloads = false, discovers = false;
    in >> port >> offloads >> discovers;
    Outcome<UdpSocket> socket = UdpSocket::open({address(local), port}, mark, offloads, discovers);
    if (!socket.ok()) return opened(socket.failure());
    udp.emplace(std::move(socket.value()));
    return "ok";
  }
  int protocol = 0;
  in >> protocol;
  Outcome<RawSocket> socket = kind == "raw" ? RawSocket::open(address(local), protocol, mark)
                                            : RawSocket::openForBypass(address(local).family(), mark);
  if (!socket.ok()) return opened(socket.failure());
  raw.emplace(std::move(socket.value()));
  return "ok";
}

/** `send HEX...`: the errors, 0 where there was none. */
std::string send(std::istringstream& in) {
  std::vector<Bytes> packets;
  for (std::string hex; in >> hex;) packets.push_back(fromHex(hex));
  std::vector<RawDatagram> datagrams;
  for (Bytes& packet : packets) datagrams.push_back({packet, 0});
  raw->send(rawBatch, datagrams, 3);
  std::string text;
  for (const RawDatagram& datagram : datagrams) text += std::to_string(datagram.error) + " ";
  return text;
}

/** `datagrams REMOTE PORT MAY-FRAGMENT LENGTH/TOS...`: the errors, and above which length none go together.
 */
std::string sendDatagrams(std::istringstream& in) {
  std::string remote;
  std::uint16_t port = 0;
  bool mayFragment = false;
  in >> remote >> port >> mayFragment;
  std::vector<Bytes> memory;
  std::vector<UdpDatagram> datagrams;
  memory.reserve(kBatch);
  for (std::string item; in >> item;) {
    const std::size_t slash = item.find('/');
    memory.emplace_back(std::stoul(item.substr(0, slash)), static_cast<std::uint8_t>(memory.size()));
    UdpDatagram datagram;
    datagram.data = memory.back();
    datagram.remote = {address(remote), port};
    datagram.tos = static_cast<std::uint8_t>(std::stoul(item.substr(slash + 1)));
    datagram.mayFragment = mayFragment;
    datagrams.push_back(datagram);
  }
  udp->send(udpBatch, datagrams, 3);
  std::string text;
  for (const UdpDatagram& datagram : datagrams) text += std::to_string(datagram.error) + " ";
  return text + (udpBatch.refusedBytes == SIZE_MAX ? "together" : std::to_string(udpBatch.refusedBytes));
}

/** `receive COUNT`: raw packets as they are, datagrams as LENGTH/TOS/FIRST-BYTE, whatever came in time. */
std::string receive(std::istringstream& in) {
  std::size_t count = 0;
  in >> count;
  std::string text;
  std::vector<Bytes> memory(kBatch, Bytes(70000));
  while (count > 0 && wait(POLLIN)) {
    if (raw) {
      std::vector<RawDatagram> datagrams;
      for (Bytes& bytes : memory) datagrams.push_back({bytes, 0});
      const std::size_t came = raw->receive(rawBatch, datagrams);
      for (const RawDatagram& datagram : std::span(datagrams).first(came)) {
        text += (datagram.error != 0 ? "error" : toHex(datagram.data)) + " ";
        if (count > 0) count--;
      }
      continue;
    }
    std::vector<UdpDatagram> datagrams;
    for (Bytes& bytes : memory) datagrams.push_back({.data = bytes, .remote = {}, .local = {}});
    const std::size_t came = udp->receive(udpBatch, datagrams);
    for (const UdpDatagram& message : std::span(datagrams).first(came))
      for (std::size_t i = 0; i < message.data.size(); i += message.segmentBytes) {
        const std::size_t lengthBytes = std::min(message.segmentBytes, message.data.size() - i);
        text += std::to_string(lengthBytes) + "/" + std::to_string(message.tos) + "/" +
                std::to_string(message.data[i]) + " ";
        if (count > 0) count--;
      }
  }
  return text;
}

/** `errors`: PEER=MTU of what is in the queue, waiting for the first. */
std::string errors() {
  pollfd ready{socketFd(), 0, 0};
  ::poll(&ready, 1, kWaitMs);
  std::vector<PathError> found(16);
  found.resize(readErrorQueue(socketFd(), found));
  std::string text;
  for (const PathError& error : found) text += error.peer.text() + "=" + std::to_string(error.mtuBytes) + " ";
  return text;
}

/** `tun NAME MTU LIMIT`: a device on which everything longer than the limit is answered, by a thread that
 * ends with us. */
std::string tun(std::istringstream& in) {
  std::string name;
  std::uint32_t mtu = 0;
  std::size_t limit = 0;
  in >> name >> mtu >> limit;
  Outcome<Tun> device = Tun::open(name, mtu, false, 1);
  if (!device.ok()) return opened(device.failure());
  std::thread([device = std::make_shared<Tun>(std::move(device.value())), limit] {
    Bytes memory(70000);
    Bytes room(kMaxAnswerBytes);
    for (;;) {
      pollfd ready{device->fd(0), POLLIN, 0};
      ::poll(&ready, 1, -1);
      VnetHeader header;
      const std::size_t lengthBytes = device->read(0, header, memory);
      if (lengthBytes <= limit) continue;
      const std::size_t answerBytes = writeTooBig(std::span(memory).first(lengthBytes), limit, room);
      VnetHeader plain;
      const iovec pieces[] = {{&plain, sizeof plain}, {room.data(), answerBytes}};
      if (answerBytes > 0) device->write(pieces);
    }
  }).detach();
  return "ok";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string command, peer;
    std::uint32_t mark = 0;
    in >> command;
    std::string answer = "what?";
    if (command == "open") answer = open(in);
    if (command == "send") answer = send(in);
    if (command == "datagrams") answer = sendDatagrams(in);
    if (command == "receive") answer = receive(in);
    if (command == "errors") answer = errors();
    if (command == "tun") answer = tun(in);
    if (command == "mtu" && in >> peer >> mark) answer = std::to_string(kernelPathMtu(address(peer), mark));
    std::cout << answer << std::endl;
  }
}
