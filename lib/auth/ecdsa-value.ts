// The two notations of an ECDSA signature: DER's SEQUENCE of r and s (RFC 3279 §2.2.3), and r | s of fixed length (RFC 4754 §7).

import {
  AsnConvert,
  AsnIntegerBigIntConverter,
  AsnProp,
  AsnPropTypes,
  AsnType,
  AsnTypeTypes,
} from '@peculiar/asn1-schema';
import { fromHex, toHex } from '../bytes.ts';

class EcdsaValue {
  r = 0n;
  s = 0n;
}
// The library's decorators, called as the functions that they are.
const integer = AsnProp({ type: AsnPropTypes.Integer, converter: AsnIntegerBigIntConverter });
integer(EcdsaValue.prototype, 'r');
integer(EcdsaValue.prototype, 's');
AsnType({ type: AsnTypeTypes.Sequence })(EcdsaValue);

/** r | s to DER. */
export function rawToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const value = new EcdsaValue();
  value.r = BigInt(`0x${toHex(raw.subarray(0, half))}`);
  value.s = BigInt(`0x${toHex(raw.subarray(half))}`);
  return new Uint8Array(AsnConvert.serialize(value));
}

/** DER to r | s of `halfBytes` each; undefined where it is no such structure or a number is too long. */
export function derToRaw(der: Uint8Array, halfBytes: number): Uint8Array | undefined {
  try {
    const { r, s } = AsnConvert.parse(der, EcdsaValue);
    const digits = halfBytes * 2;
    const [left, right] = [r, s].map((number) => number.toString(16).padStart(digits, '0'));
    return left.length === digits && right.length === digits ? fromHex(left + right) : undefined;
  } catch {
    return undefined;
  }
}
