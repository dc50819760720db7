// Our engine against the IPsec of a real Linux kernel, keys set by hand on both sides: what one seals the other must open.

import { casesInside } from './cases-inside.ts';

casesInside('our engine and the IPsec of a Linux kernel understand each other', './inside.js');
