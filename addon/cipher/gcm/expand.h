// Keys of all kernels of x86-64 are made in aesni.cc.
#pragma once

#include "cipher/gcm/kernel.h"

namespace ike {

void expandGcmKey(GcmSchedule& ready, std::span<const std::uint8_t> key) noexcept;

}  // namespace ike
