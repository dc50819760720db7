// The payload table: number, name, decoder and encoder of each body, one row a payload (RFC 7296 §3.2 and on). A body is
// what follows the 4-byte generic header; codec.ts cuts it out and walks the chain. Decoded values own their bytes.

import { compareBytes, concat } from '../../bytes.ts';
import { fail, ok, type Result } from '../../errors.ts';
import type { TrafficSelector } from '../../ipsec/selector.ts';
import { type ConfigAttribute, type Payload, Protocol } from './message.ts';
import { decodeProposals, encodeProposals } from './proposal.ts';

type PayloadType = Payload['type'];
type Decoded<T extends PayloadType = PayloadType> = Result<Extract<Payload, { type: T }>>;

/** One row of the table. */
export interface PayloadRow {
  readonly number: number;
  readonly type: PayloadType;
  /** Whether a message may hold only one: where the exchanges of RFC 7296 Appendix C show no repetition. */
  readonly once: boolean;
  decode(body: Uint8Array): Result<Payload>;
  encode(payload: Payload): Uint8Array;
}

/** The numbers that the chain itself needs to know. */
export const NO_NEXT_PAYLOAD = 0;
export const SK_NUMBER = 46;
export const SKF_NUMBER = 53;

const NONCE_BYTES = { min: 16, max: 256 };
const SKF_HEADER_BYTES = 4;

const TS_IPV4 = 7;
const TS_IPV6 = 8;
const TS_HEADER_BYTES = 8;

/** `encode` gets only payloads of the row's own type: codec.ts picks the row by it. */
function row<T extends PayloadType>(
  number: number,
  type: T,
  repeats: 'once' | 'many',
  decode: (body: Uint8Array) => Decoded<T>,
  encode: (payload: Extract<Payload, { type: T }>) => Uint8Array,
): PayloadRow {
  return { number, type, once: repeats === 'once', decode, encode: encode as PayloadRow['encode'] };
}

export const PAYLOADS: readonly PayloadRow[] = Object.freeze([
  row(33, 'SA', 'once', decodeSa, (payload) => encodeProposals(payload.proposals)),
  row(34, 'KE', 'once', decodeKe, (payload) => concat(word(payload.method), word(0), payload.data)),
  row(35, 'IDi', 'once', (body) => decodeId('IDi', body), encodeId),
  row(36, 'IDr', 'once', (body) => decodeId('IDr', body), encodeId),
  row(37, 'CERT', 'many', (body) => decodeCert('CERT', body), encodeCert),
  row(38, 'CERTREQ', 'many', (body) => decodeCert('CERTREQ', body), encodeCert),
  row(39, 'AUTH', 'once', decodeAuth, (payload) =>
    concat(Uint8Array.of(payload.method, 0, 0, 0), payload.data),
  ),
  row(40, 'NONCE', 'once', decodeNonce, (payload) => payload.data),
  row(41, 'N', 'many', decodeNotify, encodeNotify),
  row(42, 'D', 'many', decodeDelete, encodeDelete),
  row(
    43,
    'V',
    'many',
    (body) => ok({ type: 'V', data: own(body) }),
    (payload) => payload.data,
  ),
  row(44, 'TSi', 'once', (body) => decodeSelectors('TSi', body), encodeSelectors),
  row(45, 'TSr', 'once', (body) => decodeSelectors('TSr', body), encodeSelectors),
  // The first inner payload stands in the generic header, which is the chain's: codec.ts puts it in.
  row(
    SK_NUMBER,
    'SK',
    'once',
    (body) => ok({ type: 'SK', firstInner: 0, data: own(body) }),
    (payload) => payload.data,
  ),
  row(47, 'CP', 'once', decodeConfig, encodeConfig),
  row(48, 'EAP', 'once', decodeEap, (payload) => payload.data),
  row(SKF_NUMBER, 'SKF', 'once', decodeFragment, (payload) =>
    concat(word(payload.fragment), word(payload.total), payload.data),
  ),
]);

const BY_NUMBER = new Map(PAYLOADS.map((entry) => [entry.number, entry]));
const BY_TYPE = new Map(PAYLOADS.map((entry) => [entry.type, entry]));

/** The row of a payload type number; undefined when the table does not have it. */
export function payloadRow(number: number): PayloadRow | undefined {
  return BY_NUMBER.get(number);
}

/** The row of a payload by its name; `unknown` has none. */
export function payloadRowOf(type: PayloadType): PayloadRow | undefined {
  return BY_TYPE.get(type);
}

function malformed(message: string): {
  readonly ok: false;
  readonly error: { code: 'invalid-syntax'; message: string };
} {
  return fail('invalid-syntax', message);
}

/** A copy: what was decoded must not change when a receive buffer is used again. */
function own(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function word(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

function readWord(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1];
}

function decodeSa(body: Uint8Array): Decoded<'SA'> {
  const proposals = decodeProposals(body);
  return proposals.ok ? ok({ type: 'SA', proposals: proposals.value }) : proposals;
}

function decodeKe(body: Uint8Array): Decoded<'KE'> {
  if (body.length < 4) return malformed('a KE payload is cut short');
  return ok({ type: 'KE', method: readWord(body, 0), data: own(body.subarray(4)) });
}

function decodeId<T extends 'IDi' | 'IDr'>(
  type: T,
  body: Uint8Array,
): Result<{ type: T; idType: number; data: Uint8Array }> {
  if (body.length < 4) return malformed(`an ${type} payload is cut short`);
  return ok({ type, idType: body[0], data: own(body.subarray(4)) });
}

function encodeId(payload: Extract<Payload, { type: 'IDi' | 'IDr' }>): Uint8Array {
  return concat(Uint8Array.of(payload.idType, 0, 0, 0), payload.data);
}

function decodeCert<T extends 'CERT' | 'CERTREQ'>(
  type: T,
  body: Uint8Array,
): Result<{ type: T; encoding: number; data: Uint8Array }> {
  if (body.length < 1) return malformed(`a ${type} payload is empty`);
  return ok({ type, encoding: body[0], data: own(body.subarray(1)) });
}

function encodeCert(payload: Extract<Payload, { type: 'CERT' | 'CERTREQ' }>): Uint8Array {
  return concat(Uint8Array.of(payload.encoding), payload.data);
}

function decodeAuth(body: Uint8Array): Decoded<'AUTH'> {
  if (body.length < 4) return malformed('an AUTH payload is cut short');
  return ok({ type: 'AUTH', method: body[0], data: own(body.subarray(4)) });
}

/** RFC 7296 §3.9: 16 to 256 bytes. */
function decodeNonce(body: Uint8Array): Decoded<'NONCE'> {
  if (body.length < NONCE_BYTES.min || body.length > NONCE_BYTES.max)
    return malformed(`a nonce of ${body.length} bytes is outside 16 to 256`);
  return ok({ type: 'NONCE', data: own(body) });
}

/** RFC 7296 §3.10. Without an SPI the protocol is not looked at and reads as 0. */
function decodeNotify(body: Uint8Array): Decoded<'N'> {
  if (body.length < 4) return malformed('a notify is cut short');
  const protocol = body[0];
  const spiBytes = body[1];
  if (4 + spiBytes > body.length) return malformed('the SPI of a notify leads past its payload');
  if (spiBytes !== 0 && !spiFits(protocol, spiBytes))
    return malformed(`a notify of protocol ${protocol} has an SPI of ${spiBytes} bytes`);
  return ok({
    type: 'N',
    protocol: spiBytes === 0 ? 0 : protocol,
    spi: own(body.subarray(4, 4 + spiBytes)),
    notify: readWord(body, 2),
    data: own(body.subarray(4 + spiBytes)),
  });
}

function encodeNotify({ protocol, spi, notify, data }: Extract<Payload, { type: 'N' }>): Uint8Array {
  if (spi.length > 255) throw new RangeError('an SPI has at most 255 bytes');
  return concat(Uint8Array.of(spi.length === 0 ? 0 : protocol, spi.length), word(notify), spi, data);
}

/** RFC 7296 §3.11. */
function decodeDelete(body: Uint8Array): Decoded<'D'> {
  if (body.length < 4) return malformed('a Delete is cut short');
  const protocol = body[0];
  const spiBytes = body[1];
  const count = readWord(body, 2);
  if (!spiFits(protocol, spiBytes))
    return malformed(`a Delete of protocol ${protocol} has SPIs of ${spiBytes} bytes`);
  // Empty SPIs take no room, so their number would be bound by nothing.
  if (spiBytes === 0 && count !== 0) return malformed(`a Delete counts ${count} SPIs without bytes`);
  if (4 + spiBytes * count !== body.length)
    return malformed(`a Delete of ${count} SPIs of ${spiBytes} bytes has ${body.length - 4} bytes of them`);
  const spis: Uint8Array[] = [];
  for (let offset = 4; offset < body.length; offset += spiBytes)
    spis.push(own(body.subarray(offset, offset + spiBytes)));
  return ok({ type: 'D', protocol, spis });
}

function encodeDelete({ protocol, spis }: Extract<Payload, { type: 'D' }>): Uint8Array {
  const spiBytes = protocol === Protocol.IKE ? 0 : (spis[0]?.length ?? 4);
  if (spis.some((spi) => spi.length !== spiBytes)) throw new RangeError('SPIs of a Delete differ in length');
  return concat(Uint8Array.of(protocol, spiBytes), word(spis.length), ...spis);
}

/** SPI sizes of notifies and deletes: none for the IKE SA, whose SPIs are in the header; protocols unknown here may have any. */
function spiFits(protocol: number, spiBytes: number): boolean {
  if (protocol === Protocol.IKE) return spiBytes === 0;
  return (protocol !== Protocol.AH && protocol !== Protocol.ESP) || spiBytes === 4;
}

/** RFC 7296 §3.13. Selectors of a type that is not known are left out: narrowing the rest is a subset all the same. */
function decodeSelectors<T extends 'TSi' | 'TSr'>(
  type: T,
  body: Uint8Array,
): Result<{ type: T; selectors: TrafficSelector[] }> {
  if (body.length < 4) return malformed(`a ${type} payload is cut short`);
  const count = body[0];
  if (count === 0) return malformed(`a ${type} payload holds no selector`);
  const selectors: TrafficSelector[] = [];
  let offset = 4;
  for (let index = 0; index < count; index++) {
    if (body.length - offset < 4) return malformed(`selector ${index + 1} of ${count} is cut short`);
    const length = readWord(body, offset + 2);
    if (length < 4 || length > body.length - offset)
      return malformed(
        `selector ${index + 1} of ${count} says ${length} bytes where ${body.length - offset} are left`,
      );
    const bytes = body.subarray(offset, offset + length);
    if (bytes[0] === TS_IPV4 || bytes[0] === TS_IPV6) {
      const selector = decodeSelector(bytes, bytes[0] === TS_IPV4 ? 4 : 16);
      if (!selector.ok) return selector;
      selectors.push(selector.value);
    }
    offset += length;
  }
  if (offset !== body.length) return malformed(`${body.length - offset} bytes after the last selector`);
  return ok({ type, selectors });
}

function decodeSelector(bytes: Uint8Array, addressBytes: number): Result<TrafficSelector> {
  if (bytes.length !== TS_HEADER_BYTES + 2 * addressBytes)
    return malformed(`a selector of type ${bytes[0]} has ${bytes.length} bytes`);
  const startPort = readWord(bytes, 4);
  const endPort = readWord(bytes, 6);
  const start = own(bytes.subarray(TS_HEADER_BYTES, TS_HEADER_BYTES + addressBytes));
  const end = own(bytes.subarray(TS_HEADER_BYTES + addressBytes));
  if (compareBytes(start, end) > 0) return malformed("a selector's addresses end before they start");
  const opaque = startPort === 65535 && endPort === 0;
  if (startPort > endPort && !opaque) return malformed("a selector's ports end before they start");
  return ok({ protocol: bytes[1], startPort, endPort, start, end });
}

function encodeSelectors({ selectors }: Extract<Payload, { type: 'TSi' | 'TSr' }>): Uint8Array {
  if (selectors.length > 255) throw new RangeError('a payload has at most 255 traffic selectors');
  const list = selectors.map(({ protocol, startPort, endPort, start, end }) => {
    const type = start.length === 4 ? TS_IPV4 : TS_IPV6;
    const length = TS_HEADER_BYTES + start.length + end.length;
    return concat(Uint8Array.of(type, protocol), word(length), word(startPort), word(endPort), start, end);
  });
  return concat(Uint8Array.of(selectors.length, 0, 0, 0), ...list);
}

/** RFC 7296 §3.15. The reserved bit in front of each attribute's type is not looked at. */
function decodeConfig(body: Uint8Array): Decoded<'CP'> {
  if (body.length < 4) return malformed('a CP payload is cut short');
  const attributes: ConfigAttribute[] = [];
  let offset = 4;
  while (offset < body.length) {
    if (body.length - offset < 4) return malformed('a configuration attribute is cut short');
    const end = offset + 4 + readWord(body, offset + 2);
    if (end > body.length) return malformed('a configuration attribute leads past its payload');
    attributes.push({ type: readWord(body, offset) & 0x7fff, value: own(body.subarray(offset + 4, end)) });
    offset = end;
  }
  return ok({ type: 'CP', configType: body[0], attributes });
}

function encodeConfig({ configType, attributes }: Extract<Payload, { type: 'CP' }>): Uint8Array {
  const list = attributes.map(({ type, value }) => concat(word(type & 0x7fff), word(value.length), value));
  return concat(Uint8Array.of(configType, 0, 0, 0), ...list);
}

/** RFC 7296 §3.16: the EAP packet's own length is the payload's. */
function decodeEap(body: Uint8Array): Decoded<'EAP'> {
  if (body.length < 4 || readWord(body, 2) !== body.length)
    return malformed(`an EAP packet does not have the length of its payload, ${body.length} bytes`);
  return ok({ type: 'EAP', data: own(body) });
}

/** RFC 7383 §2.5: numbers start from 1 and stay within the total. The first inner payload is put in by codec.ts. */
function decodeFragment(body: Uint8Array): Decoded<'SKF'> {
  if (body.length < SKF_HEADER_BYTES) return malformed('an SKF payload is cut short');
  const fragment = readWord(body, 0);
  const total = readWord(body, 2);
  if (fragment === 0 || fragment > total) return malformed(`fragment ${fragment} of ${total}`);
  return ok({ type: 'SKF', firstInner: 0, fragment, total, data: own(body.subarray(SKF_HEADER_BYTES)) });
}
