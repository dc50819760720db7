// ECDH on the curves of curves.ts (RFC 5903, RFC 6954): SCALAR times PEER, five bits a turn, or times the base point by a comb. A scalar k is
// used as k or as order - k, whichever is odd, and written with digits that are odd: bit i of k >> 1, with one bit put on top, counts +2^i
// or -2^i. So there is always something to add, and of a table of odd multiples 1, 3, ..., 31 one entry is taken or its opposite.
//
// No addition meets infinity, two equal points or two opposite ones, unless it is the last: before it the sum is 32 j P with 32 j larger
// than the digit and far below the order. The last one uses the complete formulas.

import { COMB_ROOM, combTimes, setDigit } from './comb';
import {
  bits, choose, constant, copy, CURVE_B, FROM_X, FROM_Y, fromBytes, invert, isZero, length, multiply, negateIf, normalize, ONE, order, SLOT, square,
  subtract, toBytes, TO_X, TO_Y, twisted,
} from './fp';
import { addEntry, addPoints, completeEntry, double, ENTRY, pick, POINT, POINTS_END, toHomogeneous } from './points';
import { wipe } from '../common/wipe';
import { EXCHANGE, NUMBERS, PEER, RESULT, SCALAR } from './layout';

/** The scalar's digits, little-endian, 96 bytes. */
const DIGITS: usize = (POINTS_END + 15) & ~15;
const SUM: usize = DIGITS + 96;
const PICKED: usize = SUM + POINT;
const INPUT: usize = PICKED + ENTRY;
const T: usize = INPUT + POINT;
const U: usize = T + SLOT;
const TABLE: usize = U + SLOT;
/** comb.ts wants more room than a table. */
const END: usize = TABLE + COMB_ROOM;

/** 1 when SCALAR is at least 1 and below the group's order, else 0. */
export function ecpFits(group: u32): i32 {
  choose(group);
  return leave(scalarIsValid());
}

/** x | y of SCALAR times the base point to RESULT, or nothing when SCALAR does not fit. */
export function ecpPublic(group: u32): void {
  choose(group);
  if (!scalarIsValid()) {
    leave(0);
    return;
  }
  const opposite = readDigits();
  combTimes(SUM, DIGITS, PICKED, TABLE);
  writeResult(opposite);
  leave(1);
}

/** x | y of SCALAR times PEER to RESULT; 0 when PEER is no point of the curve, 2 when SCALAR is not between 1 and the order. */
export function ecpSecret(group: u32): i32 {
  choose(group);
  if (!scalarIsValid()) return leave(2);
  if (!readPeer()) return leave(0);
  const opposite = readDigits();
  makeTable();
  times();
  writeResult(opposite);
  return leave(1);
}

/** The result stays until TypeScript has copied it. */
function leave(outcome: i32): i32 {
  wipe(EXCHANGE, RESULT);
  wipe(NUMBERS, END);
  return outcome;
}

function scalarIsValid(): i32 {
  let borrow = 0;
  let all = 0;
  for (let i: usize = 0; i < length; i++) {
    const byte = <i32>load<u8>(SCALAR + length - 1 - i);
    all |= byte;
    borrow = (byte - <i32>load<u8>(order + i) + borrow) >> 8;
  }
  return borrow & ((0 - all) >> 31) & 1;
}

/** INPUT = PEER, of which 1 says that it is a point: y^2 = x^3 - 3 x + b with both below p (RFC 6989 §2.3). All of this is public. */
function readPeer(): i32 {
  const y = INPUT + SLOT;
  const small = fromBytes(INPUT, PEER, T) & fromBytes(y, PEER + length, T);
  if (twisted) {
    multiply(INPUT, INPUT, constant(TO_X));
    multiply(y, y, constant(TO_Y));
  }
  square(T, INPUT);
  subtract(T, T, constant(ONE), 1);
  subtract(T, T, constant(ONE));
  multiply(T, T, INPUT);
  square(U, y);
  subtract(U, U, T);
  subtract(U, U, constant(CURVE_B));
  normalize(U, T);
  return small & isZero(U);
}

/** DIGITS = (k or order - k) >> 1; all ones when it was order - k, else 0. */
function readDigits(): i64 {
  const even = <i32>(load<u8>(SCALAR + length - 1) & 1) - 1;
  let borrow = 0;
  for (let i: usize = 0; i < length; i++) {
    const byte = <i32>load<u8>(SCALAR + length - 1 - i);
    borrow = <i32>load<u8>(order + i) - byte + borrow;
    store<u8>(DIGITS + i, byte ^ ((byte ^ borrow) & even & 255));
    borrow >>= 8;
  }
  for (let i: usize = 0; i < length; i++) store<u8>(DIGITS + i, (<u32>load<u8>(DIGITS + i) | (<u32>load<u8>(DIGITS + i, 1) << 8)) >> 1);
  return <i64>even;
}

/** TABLE = 1, 3, ..., 31 times INPUT. */
function makeTable(): void {
  copy(TABLE, INPUT);
  copy(TABLE + SLOT, INPUT + SLOT);
  copy(TABLE + 2 * SLOT, constant(ONE));
  completeEntry(TABLE);
  for (let i: usize = 0; i < POINT; i += 16) v128.store(PICKED + i, v128.load(TABLE + i));
  double(PICKED);
  completeEntry(PICKED);
  for (let n: usize = 1; n < 16; n++) {
    const entry = TABLE + n * ENTRY;
    for (let i: usize = 0; i < POINT; i += 16) v128.store(entry + i, v128.load(entry - ENTRY + i));
    addEntry(entry, PICKED);
    completeEntry(entry);
  }
}

/** SUM = SCALAR times INPUT, homogeneous. */
function times(): void {
  const turns: usize = (bits + 4) / 5;
  setDigit(DIGITS, turns * 5 - 1);
  take(turns - 1);
  for (let i: usize = 0; i < POINT; i += 16) v128.store(SUM + i, v128.load(PICKED + i));
  for (let turn: usize = turns - 1; turn > 0; turn--) {
    for (let n = 0; n < 5; n++) double(SUM);
    take(turn - 1);
    if (turn > 1) addEntry(SUM, PICKED);
  }
  toHomogeneous(SUM);
  multiply(PICKED, PICKED, PICKED + 2 * SLOT);
  copy(PICKED + 2 * SLOT, PICKED + 4 * SLOT);
  addPoints(SUM, SUM, PICKED);
}

/** PICKED = the multiple for five of the digits. */
function take(turn: usize): void {
  const bit = turn * 5;
  const five = (<u32>load<u16>(DIGITS + (bit >> 3)) >> (<u32>bit & 7)) & 31;
  const minus = <i32>(five >> 4) - 1;
  pick(PICKED, TABLE, 5, SLOT, (five ^ minus) & 15);
  negateIf(PICKED + SLOT, <i64>minus);
}

/** RESULT = x | y of SUM, y negated where `opposite` is all ones. */
function writeResult(opposite: i64): void {
  const y = SUM + SLOT;
  invert(T, SUM + 2 * SLOT, TABLE);
  multiply(SUM, SUM, T);
  multiply(y, y, T);
  if (twisted) {
    multiply(SUM, SUM, constant(FROM_X));
    multiply(y, y, constant(FROM_Y));
  }
  negateIf(y, opposite);
  normalize(SUM, T);
  normalize(y, T);
  toBytes(RESULT, SUM, T);
  toBytes(RESULT + length, y, T);
}
