// ISAKMP messages to bytes and back (RFC 2408 §3.1, §3.2): the header, then a chain of payloads in which each generic header names
// the type of the next. The bodies are payloads.ts's. Nothing here throws on bytes from the network: a malformed message is a failed
// Result whose code is the notify that RFC 2408 §5 names for it.

import { concat } from '../../../bytes.ts';
import { fail, ok, type Result } from '../../../errors.ts';
import { decodeIsakmpHeader, encodeIsakmpHeader, HEADER_BYTES, type IsakmpHeader } from '../header.ts';
import type { Received, V1Message, V1Payload } from './message.ts';
import { v1PayloadNumber, v1PayloadRow } from './payloads.ts';

const GENERIC_HEADER_BYTES = 4;
const NO_NEXT_PAYLOAD = 0;
const MAX_PAYLOAD_BYTES = 0xffff;
/** Nothing honest comes near; a chain of empty payloads could reach 16,000. */
const MAX_PAYLOADS = 256;

/** A chain of payloads as it was read. */
export type Chain = Pick<V1Message, 'payloads' | 'afterFirst'>;

/** Reads a message that is not encrypted. */
export function decodeV1Message(bytes: Uint8Array): Result<V1Message> {
  const frame = decodeIsakmpHeader(bytes);
  if (!frame.ok) return frame;
  const { header, nextPayload } = frame.value;
  const chain = decodeV1Payloads(nextPayload, bytes.subarray(HEADER_BYTES), 'none');
  return chain.ok ? ok({ header, ...chain.value }) : chain;
}

/**
 * Reads a chain of payloads that begins with type `first`. After decryption zeros or anything else may follow as padding, whose
 * length nobody tells (RFC 2409 Appendix B): `padding: 'any'`.
 */
export function decodeV1Payloads(first: number, bytes: Uint8Array, padding: 'none' | 'any'): Result<Chain> {
  const payloads: Received[] = [];
  let number = first;
  let offset = 0;
  let afterFirstAt = 0;
  while (number !== NO_NEXT_PAYLOAD) {
    if (payloads.length === MAX_PAYLOADS)
      return fail('payload-malformed', `more than ${MAX_PAYLOADS} payloads`);
    const left = bytes.length - offset;
    if (left < GENERIC_HEADER_BYTES)
      return fail('payload-malformed', `a payload of type ${number} is missing`);
    // RFC 2408 §5.3: reserved fields are zero; it is what a wrong key is seen by, too.
    if (bytes[offset + 1] !== 0) return fail('payload-malformed', 'a reserved field is not zero');
    const length = (bytes[offset + 2] << 8) | bytes[offset + 3];
    if (length < GENERIC_HEADER_BYTES || length > left)
      return fail('payload-malformed', `a payload says ${length} bytes where ${left} are left`);
    const body = bytes.subarray(offset + GENERIC_HEADER_BYTES, offset + length);
    const payload = decodeBody(number, body);
    if (!payload.ok) return payload;
    payloads.push({ ...payload.value, body: new Uint8Array(body) });
    number = bytes[offset];
    offset += length;
    if (payloads.length === 1) afterFirstAt = offset;
  }
  if (padding === 'none' && offset !== bytes.length)
    return fail('payload-malformed', `${bytes.length - offset} bytes after the last payload`);
  return ok({ payloads, afterFirst: new Uint8Array(bytes.subarray(afterFirstAt, offset)) });
}

/** Writes a chain: the type of its first payload (0 when there is none) and the bytes. RangeError beyond 65,535 a payload. */
export function encodeV1Payloads(payloads: readonly V1Payload[]): {
  readonly first: number;
  readonly bytes: Uint8Array;
} {
  const parts = payloads.flatMap((payload, index) => {
    const next = payloads[index + 1];
    const body = encodeV1Body(payload);
    const length = GENERIC_HEADER_BYTES + body.length;
    if (length > MAX_PAYLOAD_BYTES) throw new RangeError(`a payload of ${length} bytes`);
    const nextNumber = next === undefined ? NO_NEXT_PAYLOAD : v1PayloadNumber(next);
    return [Uint8Array.of(nextNumber, 0, length >> 8, length & 0xff), body];
  });
  const first = payloads.length === 0 ? NO_NEXT_PAYLOAD : v1PayloadNumber(payloads[0]);
  return { first, bytes: concat(...parts) };
}

/** A payload without its generic header: what hashes are over (`SAi_b`, `IDii_b` of RFC 2409 §5). */
export function encodeV1Body(payload: V1Payload): Uint8Array {
  if (payload.type === 'unknown') return payload.data;
  const row = v1PayloadRow(v1PayloadNumber(payload));
  if (row === undefined) throw new RangeError(`no payload named ${payload.type}`);
  return row.encode(payload);
}

/** Writes a message in clear. */
export function encodeV1Message(header: IsakmpHeader, payloads: readonly V1Payload[]): Uint8Array {
  const { first, bytes } = encodeV1Payloads(payloads);
  return concat(encodeIsakmpHeader(header, first, HEADER_BYTES + bytes.length), bytes);
}

/** A payload of the same type with another body, as a cipher makes it. */
export function withV1Body(payload: V1Payload, body: Uint8Array): Result<Received> {
  const read = decodeBody(v1PayloadNumber(payload), body);
  return read.ok ? ok({ ...read.value, body }) : read;
}

function decodeBody(number: number, body: Uint8Array): Result<V1Payload> {
  const row = v1PayloadRow(number);
  if (row === undefined) return ok({ type: 'unknown', number, data: new Uint8Array(body) });
  return row.decode(body);
}
