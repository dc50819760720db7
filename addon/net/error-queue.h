// What the network answered to packets that a socket sent (IP_RECVERR): only the messages that say how large
// packets to a peer may be. The kernel has compared the quoted packet in each with the socket's own addresses
// and ports (raw sockets: protocol) before it comes here.
#pragma once

#include <span>

#include "net/address.h"

namespace ike {

struct PathError {
  /** Where the packet was to go that was too large. */
  Address peer;
  /** What fits by the message; 0: it does not say. */
  std::size_t mtuBytes = 0;
};

/** Asks for the queue; such a socket reports what happened to one packet as the error of a later call. */
bool enableErrorQueue(int fd, bool v6) noexcept;

/** Takes messages from the queue, the first ones at most that fit `errors`, and drops those of other causes.
 * How many there are; less than `errors.size()`: the queue is empty, or what is left comes with the next
 * call. */
std::size_t readErrorQueue(int fd, std::span<PathError> errors) noexcept;

}  // namespace ike
