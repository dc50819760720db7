// The base point's multiples. The digits of a scalar (ecp.ts) stand in five rows, the comb's teeth, of 4 times `combStep`; a column's five digits
// choose one point of a block's sixteen, or its opposite, and four columns that lie `combStep` apart, one of each block, are added before
// the sum is doubled. So there are as many additions as without a table, but only `combStep` doublings. All formulas are complete.
//
// A curve's comb is public. It is made when first wanted and stays.

import { addPoints, doublePoint, infinity, pick, POINT } from './points';
import { BASE_X, BASE_Y, combPlace, combStep, constant, copy, invert, multiply, negateIf, ONE, size, SLOT } from './fp';
import { COMBS_BYTES } from './curves';

const COMBS: usize = memory.data(COMBS_BYTES, 16);
const TEETH: usize = 5;
const BLOCKS: usize = 4;
const ENTRIES: usize = 16;
/** What `combTimes` wants to work in. */
export const COMB_ROOM: usize = (ENTRIES + TEETH - 1) * POINT + 2 * ENTRIES * SLOT;

/** out = the multiple of the base point that the digits say, homogeneous. `picked` is room for a point, `room` of COMB_ROOM bytes. */
export function combTimes(out: usize, digits: usize, picked: usize, room: usize): void {
  const comb = COMBS + combPlace;
  if (load<u64>(comb) == 0) make(comb + 16, out, picked, room);
  store<u64>(comb, 1);
  setDigit(digits, TEETH * BLOCKS * combStep - 1);
  copy(picked + 2 * SLOT, constant(ONE));
  infinity(out);
  for (let column: usize = combStep; column > 0; column--) {
    if (column < combStep) doublePoint(out);
    for (let block: usize = 0; block < BLOCKS; block++) {
      let five: u32 = 0;
      for (let tooth: usize = 0; tooth < TEETH; tooth++) {
        const bit = (tooth * BLOCKS + block) * combStep + column - 1;
        five |= ((<u32>load<u8>(digits + (bit >> 3)) >> (<u32>bit & 7)) & 1) << <u32>tooth;
      }
      const minus = <i32>(five >> 4) - 1;
      pick(picked, comb + 16 + block * ENTRIES * 2 * size, 2, size, (five ^ minus) & 15);
      negateIf(picked + SLOT, <i64>minus);
      addPoints(out, out, picked);
    }
  }
}

/** The digit on top, which makes all below it count. */
export function setDigit(digits: usize, bit: usize): void {
  const byte = digits + (bit >> 3);
  store<u8>(byte, <u32>load<u8>(byte) | (<u32>1 << (<u32>bit & 7)));
}

/** Writes the comb's four blocks: x and y of the last tooth's multiple plus or minus those of the others. */
function make(blocks: usize, power: usize, t: usize, room: usize): void {
  const points = room;
  const twice = points + ENTRIES * POINT;
  const products = twice + (TEETH - 1) * POINT;
  for (let block: usize = 0; block < BLOCKS; block++) {
    copy(power, constant(BASE_X));
    copy(power + SLOT, constant(BASE_Y));
    copy(power + 2 * SLOT, constant(ONE));
    doublings(power, block * combStep);
    infinity(points);
    for (let tooth: usize = 0; tooth < TEETH; tooth++) {
      if (tooth > 0) doublings(power, BLOCKS * combStep);
      copyPoint(t, power);
      if (tooth == TEETH - 1) {
        addPoints(points, points, t);
        break;
      }
      copyPoint(twice + tooth * POINT, t);
      doublePoint(twice + tooth * POINT);
      negateIf(t + SLOT, -1);
      addPoints(points, points, t);
    }
    for (let n: usize = 1; n < ENTRIES; n++) addPoints(points + n * POINT, points + (n & (n - 1)) * POINT, twice + ctz(n) * POINT);
    toAffine(blocks + block * ENTRIES * 2 * size, points, t, products);
  }
}

function doublings(point: usize, count: usize): void {
  for (let n: usize = 0; n < count; n++) doublePoint(point);
}

/** All numbers of a point have SLOT bytes. */
function copyPoint(out: usize, point: usize): void {
  for (let i: usize = 0; i < POINT; i += 16) v128.store(out + i, v128.load(point + i));
}

/** x and y of sixteen points by one inversion: the inverse of the product of all Z, and from it one after the other. */
function toAffine(out: usize, points: usize, t: usize, products: usize): void {
  copy(products, points + 2 * SLOT);
  for (let n: usize = 1; n < ENTRIES; n++) multiply(products + n * SLOT, products + (n - 1) * SLOT, points + n * POINT + 2 * SLOT);
  invert(t, products + (ENTRIES - 1) * SLOT, products + ENTRIES * SLOT);
  for (let n: usize = ENTRIES; n > 0; n--) {
    const point = points + (n - 1) * POINT;
    const entry = out + (n - 1) * 2 * size;
    if (n > 1) multiply(t + SLOT, t, products + (n - 2) * SLOT);
    else copy(t + SLOT, t);
    multiply(t, t, point + 2 * SLOT);
    multiply(entry, point, t + SLOT);
    multiply(entry + size, point + SLOT, t + SLOT);
  }
}
