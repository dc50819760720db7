// The XFRM plane in a real Linux kernel: every case against our engine, traps, limits, moves, deletes, and what a killed run leaves.

import { casesInside } from './cases-inside.ts';

casesInside('the XFRM plane and a Linux kernel', './xfrm-inside.js');
