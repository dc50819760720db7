// Whole gateways on the XFRM plane in a real Linux kernel, with each other, with our engine and with strongSwan on kernel-netlink.

import { casesInside } from './cases-inside.ts';

casesInside('gateways on the XFRM plane', './gateway-inside.js');
