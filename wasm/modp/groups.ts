// Made by make-constants.mjs. `choose` puts the group at work into the globals: its lengths, and where its numbers are.

import {
  P_1, N_1, S_1, P_2, N_2, S_2, P_5, N_5, S_5, P_14, N_14, S_14, P_15, N_15, S_15, P_16, N_16, S_16, P_17, N_17, S_17, P_18, N_18, S_18, P_22,
  N_22, S_22, G_22, Q_22, P_23, N_23, S_23, G_23, Q_23, P_24, N_24, S_24, G_24, Q_24,
} from './constants';

/** The prime's length in bytes. */
export let LENGTH: usize = 0;
/** Digits of a number, a multiple of 8. */
export let DIGITS: usize = 0;
export let PRIME: usize = 0;
/** -1/p modulo R. */
export let NEGATIVE_INVERSE: usize = 0;
export let SQUARE_OF_R: usize = 0;
/** 0 where it is 2, and all squares have the order that it has. */
export let GENERATOR: usize = 0;
export let ORDER: usize = 0;
export let ORDER_LENGTH: usize = 0;

/** Chooses a group by IKE's number of it, which is one of these. */
export function choose(group: i32): void {
  switch (group) {
    case 1: return use(96, 56, P_1, N_1, S_1, 0, 0, 0);
    case 2: return use(128, 80, P_2, N_2, S_2, 0, 0, 0);
    case 5: return use(192, 112, P_5, N_5, S_5, 0, 0, 0);
    case 14: return use(256, 152, P_14, N_14, S_14, 0, 0, 0);
    case 15: return use(384, 224, P_15, N_15, S_15, 0, 0, 0);
    case 16: return use(512, 296, P_16, N_16, S_16, 0, 0, 0);
    case 17: return use(768, 440, P_17, N_17, S_17, 0, 0, 0);
    case 18: return use(1024, 592, P_18, N_18, S_18, 0, 0, 0);
    case 22: return use(128, 80, P_22, N_22, S_22, G_22, Q_22, 20);
    case 23: return use(256, 152, P_23, N_23, S_23, G_23, Q_23, 28);
    case 24: return use(256, 152, P_24, N_24, S_24, G_24, Q_24, 32);
  }
}

function use(length: usize, size: usize, p: usize, n: usize, s: usize, g: usize, q: usize, orderLength: usize): void {
  LENGTH = length;
  DIGITS = size;
  PRIME = p;
  NEGATIVE_INVERSE = n;
  SQUARE_OF_R = s;
  GENERATOR = g;
  ORDER = q;
  ORDER_LENGTH = orderLength;
}
