// The engine: sockets, TUN device, routes and databases of one gateway, and the workers that move packets
// between them, equally many in each direction. All methods are for the one thread that made it; the workers
// share their half of the core with it under a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/inbound-worker.h"
#include "engine/mailbox.h"
#include "engine/outbound-worker.h"
#include "engine/shared.h"
#include "net/outcome.h"
#include "net/raw-socket.h"
#include "net/routes.h"
#include "net/tun.h"
#include "net/udp-socket.h"

namespace ike {

struct EngineConfig {
  std::vector<Address> addresses;
  std::uint16_t port = 0;
  std::uint16_t nattPort = 0;
  std::string tunName;
  std::uint32_t mtuBytes = 0;
  bool installRoutes = false;
  RoutingRule rule;
  std::size_t heldPackets = 0;
  /** Whether the kernel's segmentation, joining and checksum offloads are used. */
  bool offloads = true;
  /** Threads in each direction, 1 to `kMaxWorkers`. */
  std::size_t workers = 1;
  /** Whether SYNs promise no more than the tunnel carries. */
  bool clampMss = true;
  /** How long a worker looks again before it sleeps. */
  std::int64_t busyPollNs = 0;
};

class Engine {
 public:
  static Outcome<std::unique_ptr<Engine>> open(const EngineConfig& config, std::shared_ptr<Mailbox> mailbox);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::uint16_t nattPort() const noexcept { return nattPort_; }
  /** Why ESP goes in UDP only, and AH not at all; none: it need not. */
  const std::string& udpOnly() const noexcept { return udpOnly_; }
  /** Why addresses were left out that the host has no support for. */
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  /** Why packets of bypass policies are drops; empty: they leave. */
  const std::string& bypassRefusal() const noexcept { return bypassRefusal_; }

  enum class Side { inner, outer };
  Status startCapture(Side side, const std::string& path, const Capture::Limits& limits);
  Capture::Counts stopCapture(Side side) noexcept;

  /** Sends a datagram of IKE, with the non-ESP marker where it belongs. What fails is counted. */
  void sendIke(const IkeDatagram& datagram);
  Outcome<Address> localAddressFor(const Endpoint& remote) const;

  Outcome<std::uint32_t> allocateSpi();
  void releaseSpi(std::uint32_t spi);
  Status addSa(SaSpec spec);
  void updateSa(std::uint32_t id, const Endpoint& local, const Endpoint& remote);
  void deleteSa(std::uint32_t id);
  std::optional<SaReport> querySa(std::uint32_t id);
  Status addPolicy(std::unique_ptr<Policy> policy);
  void deletePolicy(std::uint32_t id);
  /** An inner address of ours on the TUN device. One that is there already stays. */
  Status addAddress(const Address& address);
  void removeAddress(const Address& address);
  Stats stats();

  /** SAs, policies, routes and device go; IKE may still be sent. */
  void closeTunnel();
  /** The sockets go. */
  void closeSockets();
  bool tunnelOpen() const noexcept { return tun_.has_value(); }
  bool socketsOpen() const noexcept { return !sockets_.empty(); }

 private:
  Engine(const EngineConfig& config, std::shared_ptr<Mailbox> mailbox)
      : mark_(config.rule.mark),
        offloads_(config.offloads),
        workers_(config.workers),
        busyPollNs_(config.busyPollNs),
        shared_(std::move(mailbox), config.heldPackets, config.workers) {
    usePaths(config);
  }

  void usePaths(const EngineConfig& config);
  Status openSockets(const EngineConfig& config);
  Status openPort(std::span<const Address> addresses, std::uint16_t wanted, bool natt, std::uint16_t& bound);
  Status openRawSockets();
  void closeRawSockets() noexcept;
  Status openTunnel(const EngineConfig& config);
  void openBypass();
  Status startWorkers();
  void stopWorkers() noexcept;
  std::uint64_t socketOverflows() const noexcept;

  std::uint32_t mark_;
  bool offloads_;
  std::size_t workers_;
  std::int64_t busyPollNs_;
  std::uint16_t port_ = 0;
  std::uint16_t nattPort_ = 0;
  std::vector<std::string> warnings_;
  std::string bypassRefusal_;
  Shared shared_;
  std::string udpOnly_;
  std::vector<BoundSocket> sockets_;
  std::vector<RawSocket> raw_;
  std::optional<Tun> tun_;
  std::optional<RouteTable> routes_;
  std::vector<std::unique_ptr<OutboundWorker>> out_;
  std::vector<std::unique_ptr<InboundWorker>> in_;
  /** Of sockets that are closed. */
  std::uint64_t overflows_ = 0;
  UdpBatch sendBatch_;
};

/** Stops every engine of this process, for exits that run no destructors. */
void closeAllEngines();

}  // namespace ike
