// Data attributes (RFC 2408 §3.3): a 16-bit type whose upper bit says whether two bytes of value follow or a length and that many
// bytes. They stand in transforms and in Mode-Config's payload.

import { concat } from '../../../bytes.ts';
import { fail, ok, type Result } from '../../../errors.ts';
import type { Attribute } from './message.ts';

/** The attribute format bit: set for type/value. */
const SHORT = 0x8000;
const HEADER_BYTES = 4;

/** Reads attributes to the end of `bytes`; `what` names in failures where they stand. */
export function decodeAttributes(bytes: Uint8Array, what: string): Result<Attribute[]> {
  const attributes: Attribute[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < HEADER_BYTES)
      return fail('invalid-syntax', `an attribute of ${what} is cut short`);
    const format = (bytes[offset] << 8) | bytes[offset + 1];
    const value = (bytes[offset + 2] << 8) | bytes[offset + 3];
    offset += HEADER_BYTES;
    if ((format & SHORT) !== 0) {
      attributes.push({ type: format & ~SHORT, value });
      continue;
    }
    if (value > bytes.length - offset) return fail('invalid-syntax', `an attribute leads past ${what}`);
    attributes.push({ type: format, value: new Uint8Array(bytes.subarray(offset, offset + value)) });
    offset += value;
  }
  return ok(attributes);
}

/** Writes attributes, each in the form that its value has. RangeError for values that neither form holds. */
export function encodeAttributes(attributes: readonly Attribute[]): Uint8Array {
  return concat(
    ...attributes.map(({ type, value }) => {
      if (type < 0 || type >= SHORT) throw new RangeError(`attribute type ${type}`);
      if (typeof value === 'number') {
        if (!Number.isInteger(value) || value < 0 || value > 0xffff)
          throw new RangeError(`attribute ${type} has the value ${value}, which has no place in two bytes`);
        return Uint8Array.of((type | SHORT) >> 8, type & 0xff, value >> 8, value & 0xff);
      }
      if (value.length > 0xffff) throw new RangeError(`attribute ${type} has ${value.length} bytes`);
      return concat(Uint8Array.of(type >> 8, type & 0xff, value.length >> 8, value.length & 0xff), value);
    }),
  );
}
