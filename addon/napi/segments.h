// The splitter and the joiner by themselves, without a device: for tests.
#pragma once

#include <napi.h>

namespace ike {

/** `splitPacket(header, packet)`: the packets that the kernel's packet stands for, with complete checksums;
 * undefined where header and packet disagree. */
Napi::Value splitPacket(const Napi::CallbackInfo& info);

/** `joinPackets(packets)`: what would be written to the device for them, header and packet in one. */
Napi::Value joinPackets(const Napi::CallbackInfo& info);

}  // namespace ike
