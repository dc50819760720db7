// Messages to bytes and back (RFC 7296 §3.1, §3.2): the header, then a chain of payloads in which each generic header names
// the type of the next. The bodies are payloads.ts's. Nothing here throws on bytes from the network: a malformed message is
// a failed Result, `invalid-syntax` (what INVALID_SYNTAX answers, RFC 7296 §2.21) or `invalid-major-version`.

import { concat } from '../../bytes.ts';
import { fail, ok, type Result } from '../../errors.ts';
import { decodeFrame, encodeHeader, HEADER_BYTES } from './header.ts';
import type { Header, Message, Payload } from './message.ts';
import { NO_NEXT_PAYLOAD, payloadRow, payloadRowOf, SK_NUMBER, SKF_NUMBER } from './payloads.ts';

export { decodeHeader, encodeHeader } from './header.ts';

const GENERIC_HEADER_BYTES = 4;
const SKF_HEADER_BYTES = 8;
const CRITICAL = 0x80;
const MAX_PAYLOAD_BYTES = 0xffff;

/** The most payloads that one message may hold. No honest one comes near; a chain of empty ones could reach 16,000. */
export const MAX_PAYLOADS = 256;

/**
 * Reads a message of IKEv2 as it came, without the non-ESP marker. SK and SKF payloads come back sealed, with the type of the
 * first payload inside, and are the last of the message (RFC 7296 §3.14, RFC 7383 §2.5). Payloads that are not known come
 * back as `unknown`: ask {@link unsupportedCritical}.
 */
export function decodeMessage(bytes: Uint8Array): Result<Message> {
  const frame = decodeFrame(bytes);
  if (!frame.ok) return frame;
  const { header, nextPayload } = frame.value;
  if (header.majorVersion !== 2)
    return fail('invalid-major-version', `major version ${header.majorVersion} where IKEv2 has 2`);
  const payloads = decodeChain(nextPayload, bytes.subarray(HEADER_BYTES), true);
  return payloads.ok ? ok({ header, payloads: payloads.value }) : payloads;
}

/**
 * Reads a chain of payloads that begins with type `first`: what was inside an SK payload. `first` 0 stands for no payload,
 * and then there may be no bytes either. A sealed payload inside a sealed one is malformed.
 */
export function decodePayloads(first: number, bytes: Uint8Array): Result<Payload[]> {
  return decodeChain(first, bytes, false);
}

/**
 * The type number of the first payload that is not known and has its critical bit set: the message must be rejected, and
 * that number is the one byte of UNSUPPORTED_CRITICAL_PAYLOAD's data (RFC 7296 §2.5). Others that are not known are skipped.
 */
export function unsupportedCritical(payloads: readonly Payload[]): number | undefined {
  for (const payload of payloads) if (payload.type === 'unknown' && payload.critical) return payload.number;
  return undefined;
}

/** Writes a chain: the type of its first payload (0 when there is none) and the bytes. RangeError beyond 65,535 a payload. */
export function encodePayloads(payloads: readonly Payload[]): { first: number; bytes: Uint8Array } {
  const parts: Uint8Array[] = [];
  for (const [index, payload] of payloads.entries()) {
    const sealed = payload.type === 'SK' || payload.type === 'SKF';
    if (sealed && index !== payloads.length - 1)
      throw new RangeError('a sealed payload is the last of its message');
    const next = payloads[index + 1];
    const nextNumber = sealed
      ? payload.firstInner
      : next === undefined
        ? NO_NEXT_PAYLOAD
        : payloadNumber(next);
    const body = encodeBody(payload);
    const length = GENERIC_HEADER_BYTES + body.length;
    if (length > MAX_PAYLOAD_BYTES) throw new RangeError(`a payload of ${length} bytes`);
    // Payloads of RFC 7296 go without the critical bit, every receiver knows them (§2.5).
    const critical = payload.type === 'unknown' && payload.critical ? CRITICAL : 0;
    parts.push(Uint8Array.of(nextNumber, critical, length >> 8, length & 0xff), body);
  }
  return {
    first: payloads.length === 0 ? NO_NEXT_PAYLOAD : payloadNumber(payloads[0]),
    bytes: concat(...parts),
  };
}

/** Writes a whole message. An SK or SKF payload is written as the sealed bytes that it holds. */
export function encodeMessage(header: Header, payloads: readonly Payload[]): Uint8Array {
  const { first, bytes } = encodePayloads(payloads);
  return concat(encodeHeader(header, first, HEADER_BYTES + bytes.length), bytes);
}

/**
 * Everything that stands before the IV of an SK payload, 32 bytes: the AEAD's associated data (RFC 5282 §5.1).
 * `dataLength` is the length of IV, ciphertext and ICV.
 */
export function encryptedHeader(header: Header, firstInner: number, dataLength: number): Uint8Array {
  const length = GENERIC_HEADER_BYTES + dataLength;
  if (length > MAX_PAYLOAD_BYTES) throw new RangeError(`an SK payload of ${length} bytes`);
  return concat(
    encodeHeader(header, SK_NUMBER, HEADER_BYTES + length),
    Uint8Array.of(firstInner, 0, length >> 8, length & 0xff),
  );
}

/** The same for a fragment, 36 bytes (RFC 7383 §2.5). `firstInner` counts in fragment 1 only. */
export function encryptedFragmentHeader(
  header: Header,
  firstInner: number,
  fragment: number,
  total: number,
  dataLength: number,
): Uint8Array {
  const length = SKF_HEADER_BYTES + dataLength;
  if (length > MAX_PAYLOAD_BYTES) throw new RangeError(`an SKF payload of ${length} bytes`);
  const next = fragment === 1 ? firstInner : 0;
  const body = [
    next,
    0,
    length >> 8,
    length & 0xff,
    fragment >> 8,
    fragment & 0xff,
    total >> 8,
    total & 0xff,
  ];
  return concat(encodeHeader(header, SKF_NUMBER, HEADER_BYTES + length), Uint8Array.from(body));
}

function decodeChain(first: number, bytes: Uint8Array, mayBeSealed: boolean): Result<Payload[]> {
  const payloads: Payload[] = [];
  const seen = new Set<number>();
  let number = first;
  let offset = 0;
  while (number !== NO_NEXT_PAYLOAD) {
    if (payloads.length === MAX_PAYLOADS) return fail('invalid-syntax', `more than ${MAX_PAYLOADS} payloads`);
    const left = bytes.length - offset;
    if (left < GENERIC_HEADER_BYTES) return fail('invalid-syntax', `a payload of type ${number} is missing`);
    const next = bytes[offset];
    const critical = (bytes[offset + 1] & CRITICAL) !== 0;
    const length = (bytes[offset + 2] << 8) | bytes[offset + 3];
    if (length < GENERIC_HEADER_BYTES || length > left)
      return fail(
        'invalid-syntax',
        `a payload of type ${number} says ${length} bytes where ${left} are left`,
      );
    const body = bytes.subarray(offset + GENERIC_HEADER_BYTES, offset + length);
    offset += length;
    const payload = decodeBody(number, critical, body, seen);
    if (!payload.ok) return payload;
    const { type } = payload.value;
    if (type === 'SK' || type === 'SKF') {
      if (!mayBeSealed) return fail('invalid-syntax', `an ${type} payload inside another`);
      if (type === 'SKF' && payload.value.fragment > 1 && next !== 0)
        return fail('invalid-syntax', `fragment ${payload.value.fragment} names a first payload`);
      payloads.push({ ...payload.value, firstInner: next });
      break;
    }
    payloads.push(payload.value);
    number = next;
  }
  if (offset !== bytes.length)
    return fail('invalid-syntax', `${bytes.length - offset} bytes after the last payload`);
  return ok(payloads);
}

/** `seen` holds the types that were there before in this chain. */
function decodeBody(number: number, critical: boolean, body: Uint8Array, seen: Set<number>): Result<Payload> {
  const row = payloadRow(number);
  if (row === undefined) return ok({ type: 'unknown', number, critical, data: new Uint8Array(body) });
  if (row.once && seen.has(number)) return fail('invalid-syntax', `a second ${row.type} payload`);
  seen.add(number);
  return row.decode(body);
}

function encodeBody(payload: Payload): Uint8Array {
  if (payload.type === 'unknown') return payload.data;
  const row = payloadRowOf(payload.type);
  if (row === undefined) throw new RangeError(`no payload named ${payload.type}`);
  return row.encode(payload);
}

function payloadNumber(payload: Payload): number {
  if (payload.type === 'unknown') return payload.number;
  const row = payloadRowOf(payload.type);
  if (row === undefined) throw new RangeError(`no payload named ${payload.type}`);
  return row.number;
}
