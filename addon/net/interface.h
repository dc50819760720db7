// Network interfaces by what is known of them.
#pragma once

#include "net/address.h"

namespace ike {

/** The index of the interface that has the address; 0: none has. */
int interfaceOf(const Address& address);

}  // namespace ike
