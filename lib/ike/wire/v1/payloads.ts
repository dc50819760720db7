// The payload table of ISAKMP: number, name, decoder and encoder of each body, one row a payload (RFC 2408 §3.4 to §3.16, RFC 2407
// §4.6, RFC 3947 §3.2 and §5.2, draft-dukes-ike-mode-cfg-02 §3.2). A body is what follows the 4-byte generic header; codec.ts cuts it
// out and walks the chain. Decoded values own their bytes.

import { concat, readUint32, uint32 } from '../../../bytes.ts';
import { fail, ok, type Result } from '../../../errors.ts';
import { decodeAttributes, encodeAttributes } from './attributes.ts';
import type { V1Payload } from './message.ts';
import { decodeSa, encodeSa } from './sa.ts';

type Type = V1Payload['type'];
type Of<T extends Type> = Extract<V1Payload, { type: T }>;

/** One row of the table. */
export interface V1PayloadRow {
  readonly number: number;
  readonly type: Type;
  decode(body: Uint8Array): Result<V1Payload>;
  encode(payload: V1Payload): Uint8Array;
}

/** `encode` gets only payloads of the row's own type: codec.ts picks the row by it. */
function row<T extends Type>(
  number: number,
  type: T,
  decode: (body: Uint8Array) => Result<Of<T>>,
  encode: (payload: Of<T>) => Uint8Array,
): V1PayloadRow {
  return { number, type, decode, encode: encode as V1PayloadRow['encode'] };
}

/** Rows for the payloads that are nothing but data. */
function plain<T extends 'KE' | 'HASH' | 'SIG' | 'NONCE' | 'VID'>(
  number: number,
  type: T,
  bytes: { readonly min: number; readonly max: number } = { min: 0, max: 0xffff },
): V1PayloadRow {
  return row(
    number,
    type,
    (body) =>
      body.length < bytes.min || body.length > bytes.max
        ? malformed(`a ${type} payload of ${body.length} bytes`)
        : ok({ type, data: own(body) } as Of<T>),
    (payload) => (payload as { readonly data: Uint8Array }).data,
  );
}

export const V1_PAYLOADS: readonly V1PayloadRow[] = Object.freeze([
  row(1, 'SA', decodeSa, encodeSa),
  plain(4, 'KE'),
  row(5, 'ID', decodeId, ({ idType, protocol, port, data }) =>
    concat(Uint8Array.of(idType, protocol, port >> 8, port & 0xff), data),
  ),
  row(6, 'CERT', (body) => decodeCert('CERT', body), encodeCert),
  row(7, 'CR', (body) => decodeCert('CR', body), encodeCert),
  plain(8, 'HASH'),
  plain(9, 'SIG'),
  // RFC 2409 §5: 8 to 256 bytes; encrypted with a public key it is as long as that key's modulus (§5.2).
  plain(10, 'NONCE', { min: 8, max: 2048 }),
  row(11, 'N', decodeNotify, encodeNotify),
  row(12, 'D', decodeDelete, encodeDelete),
  plain(13, 'VID'),
  row(14, 'ATTR', decodeConfig, ({ configType, identifier, attributes }) =>
    concat(Uint8Array.of(configType, 0, identifier >> 8, identifier & 0xff), encodeAttributes(attributes)),
  ),
  ...[
    { natD: 20, natOa: 21, draft: false },
    // draft-ietf-ipsec-nat-t-ike-02 and -03.
    { natD: 130, natOa: 131, draft: true },
  ].flatMap(({ natD, natOa, draft }) => [
    row(
      natD,
      'NAT-D',
      (body) => ok({ type: 'NAT-D', draft, data: own(body) }),
      (payload) => payload.data,
    ),
    row(
      natOa,
      'NAT-OA',
      (body) =>
        body.length < 4
          ? malformed('a NAT-OA payload is cut short')
          : ok({ type: 'NAT-OA', draft, idType: body[0], data: own(body.subarray(4)) }),
      (payload) => concat(Uint8Array.of(payload.idType, 0, 0, 0), payload.data),
    ),
  ]),
  row(132, 'FRAG', decodeFragment, ({ id, number, last, data }) =>
    concat(Uint8Array.of(id >> 8, id & 0xff, number, last ? 1 : 0), data),
  ),
]);

const BY_NUMBER = new Map(V1_PAYLOADS.map((entry) => [entry.number, entry]));

/** The row of a payload type number; undefined when the table does not have it. */
export function v1PayloadRow(number: number): V1PayloadRow | undefined {
  return BY_NUMBER.get(number);
}

/** The type number of a payload. */
export function v1PayloadNumber(payload: V1Payload): number {
  if (payload.type === 'unknown') return payload.number;
  const draft = 'draft' in payload && payload.draft;
  const found = V1_PAYLOADS.find((entry) => entry.type === payload.type && (!draft || entry.number >= 130));
  if (found === undefined) throw new RangeError(`no payload named ${payload.type}`);
  return found.number;
}

function decodeId(body: Uint8Array): Result<Of<'ID'>> {
  if (body.length < 4) return malformed('an ID payload is cut short');
  const port = (body[2] << 8) | body[3];
  return ok({ type: 'ID', idType: body[0], protocol: body[1], port, data: own(body.subarray(4)) });
}

function decodeCert<T extends 'CERT' | 'CR'>(
  type: T,
  body: Uint8Array,
): Result<{ type: T; encoding: number; data: Uint8Array }> {
  if (body.length < 1) return malformed(`a ${type} payload is empty`);
  return ok({ type, encoding: body[0], data: own(body.subarray(1)) });
}

function encodeCert(payload: Of<'CERT' | 'CR'>): Uint8Array {
  return concat(Uint8Array.of(payload.encoding), payload.data);
}

/** RFC 2408 §3.14. */
function decodeNotify(body: Uint8Array): Result<Of<'N'>> {
  if (body.length < 8) return malformed('a notify is cut short');
  const dataAt = 8 + body[5];
  if (dataAt > body.length) return malformed('the SPI of a notify leads past its payload');
  return ok({
    type: 'N',
    doi: readUint32(body, 0),
    protocol: body[4],
    spi: own(body.subarray(8, dataAt)),
    notify: (body[6] << 8) | body[7],
    data: own(body.subarray(dataAt)),
  });
}

function encodeNotify({ doi, protocol, spi, notify, data }: Of<'N'>): Uint8Array {
  if (spi.length > 255) throw new RangeError('an SPI has at most 255 bytes');
  const head = Uint8Array.of(protocol, spi.length, notify >> 8, notify & 0xff);
  return concat(uint32(doi), head, spi, data);
}

/** RFC 2408 §3.15. */
function decodeDelete(body: Uint8Array): Result<Of<'D'>> {
  if (body.length < 8) return malformed('a Delete is cut short');
  const spiBytes = body[5];
  const count = (body[6] << 8) | body[7];
  // Empty SPIs take no room, so their number would be bound by nothing.
  if (spiBytes === 0 || count === 0) return malformed(`a Delete of ${count} SPIs of ${spiBytes} bytes`);
  if (8 + spiBytes * count !== body.length)
    return malformed(`a Delete of ${count} SPIs of ${spiBytes} bytes has ${body.length - 8} bytes of them`);
  const spis: Uint8Array[] = [];
  for (let offset = 8; offset < body.length; offset += spiBytes)
    spis.push(own(body.subarray(offset, offset + spiBytes)));
  return ok({ type: 'D', doi: readUint32(body, 0), protocol: body[4], spis });
}

function encodeDelete({ doi, protocol, spis }: Of<'D'>): Uint8Array {
  const spiBytes = spis[0]?.length ?? 0;
  if (spiBytes === 0 || spiBytes > 255 || spis.length > 0xffff || spis.some((spi) => spi.length !== spiBytes))
    throw new RangeError('a Delete holds SPIs of one length');
  return concat(
    uint32(doi),
    Uint8Array.of(protocol, spiBytes, spis.length >> 8, spis.length & 0xff),
    ...spis,
  );
}

function decodeConfig(body: Uint8Array): Result<Of<'ATTR'>> {
  if (body.length < 4) return malformed('an attributes payload is cut short');
  const attributes = decodeAttributes(body.subarray(4), 'an attributes payload');
  if (!attributes.ok) return attributes;
  const identifier = (body[2] << 8) | body[3];
  return ok({ type: 'ATTR', configType: body[0], identifier, attributes: attributes.value });
}

function decodeFragment(body: Uint8Array): Result<Of<'FRAG'>> {
  if (body.length < 5) return malformed('a fragment is cut short');
  if (body[2] === 0) return malformed('a fragment with number 0');
  return ok({
    type: 'FRAG',
    id: (body[0] << 8) | body[1],
    number: body[2],
    last: (body[3] & 1) !== 0,
    data: own(body.subarray(4)),
  });
}

/** A copy: what was decoded must not change when a receive buffer is used again. */
function own(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function malformed(message: string): ReturnType<typeof fail<'payload-malformed'>> {
  return fail('payload-malformed', message);
}
