// The body of an SA payload: proposals, their transforms, the transforms' attributes (RFC 7296 §3.3). Each level is a
// list of substructures with a "more follow" byte, a length and (for transforms) a count; all three must agree.

import { concat } from '../../bytes.ts';
import { fail, ok, type Result } from '../../errors.ts';
import { Protocol, type WireProposal, type WireTransform } from './message.ts';

const LAST = 0;
const MORE_PROPOSALS = 2;
const MORE_TRANSFORMS = 3;
const PROPOSAL_HEADER_BYTES = 8;
const TRANSFORM_HEADER_BYTES = 8;
const ATTRIBUTE_KEY_LENGTH = 14;
/** The attribute format bit: set for type/value, clear for type/length/value. */
const ATTRIBUTE_SHORT = 0x8000;

/** SPI sizes that a proposal may have, by protocol (RFC 7296 §3.3.1). Other protocols' are their own business. */
const SPI_SIZES: ReadonlyMap<number, readonly number[]> = new Map([
  [Protocol.IKE, [0, 8]],
  [Protocol.AH, [4]],
  [Protocol.ESP, [4]],
]);

/**
 * Reads an SA payload's body. Fails with `invalid-syntax` when lengths, counts and "more follow" bytes disagree, when SPI
 * sizes do not fit the protocol, or when several proposals are not numbered 1, 2, 3, ... One proposal alone may have any
 * number from 1 on: it is the one that a responder chose (RFC 7296 §3.3.1).
 */
export function decodeProposals(body: Uint8Array): Result<WireProposal[]> {
  const proposals: WireProposal[] = [];
  let offset = 0;
  let more = true;
  // Numbers are one byte and count up, so the list has at most 255 entries; every turn takes at least 8 bytes.
  while (more) {
    const cut = substructure(body, offset, PROPOSAL_HEADER_BYTES, MORE_PROPOSALS, 'proposal');
    if (!cut.ok) return cut;
    const proposal = decodeProposal(cut.value.bytes);
    if (!proposal.ok) return proposal;
    proposals.push(proposal.value);
    offset += cut.value.bytes.length;
    more = cut.value.more;
  }
  if (offset !== body.length)
    return fail('invalid-syntax', `${body.length - offset} bytes after the last proposal`);
  for (const [index, { number }] of proposals.entries()) {
    if (proposals.length === 1 ? number === 0 : number !== index + 1)
      return fail('invalid-syntax', `proposal ${index + 1} of ${proposals.length} has number ${number}`);
  }
  return ok(proposals);
}

/** Writes an SA payload's body. A transform's `unknownAttribute` has no bytes to write. RangeError beyond 255 entries. */
export function encodeProposals(proposals: readonly WireProposal[]): Uint8Array {
  return concat(
    ...proposals.map((proposal, index) => encodeProposal(proposal, index === proposals.length - 1)),
  );
}

/** Cuts one substructure out of a list: byte 0 says whether more follow, bytes 2 and 3 its length with this header. */
function substructure(
  bytes: Uint8Array,
  offset: number,
  headerBytes: number,
  moreMark: number,
  what: string,
): Result<{ bytes: Uint8Array; more: boolean }> {
  const left = bytes.length - offset;
  if (left < headerBytes)
    return fail('invalid-syntax', `a ${what} needs ${headerBytes} bytes, ${left} are left`);
  const mark = bytes[offset];
  if (mark !== LAST && mark !== moreMark) return fail('invalid-syntax', `a ${what} begins with ${mark}`);
  const length = (bytes[offset + 2] << 8) | bytes[offset + 3];
  if (length < headerBytes || length > left)
    return fail('invalid-syntax', `a ${what} says ${length} bytes where ${left} are left`);
  return ok({ bytes: bytes.subarray(offset, offset + length), more: mark !== LAST });
}

function decodeProposal(bytes: Uint8Array): Result<WireProposal> {
  const protocol = bytes[5];
  const spiBytes = bytes[6];
  const transformCount = bytes[7];
  const sizes = SPI_SIZES.get(protocol);
  if (sizes !== undefined && !sizes.includes(spiBytes))
    return fail('invalid-syntax', `a proposal of protocol ${protocol} has an SPI of ${spiBytes} bytes`);
  let offset = PROPOSAL_HEADER_BYTES + spiBytes;
  if (offset > bytes.length) return fail('invalid-syntax', 'an SPI leads past its proposal');
  const spi = new Uint8Array(bytes.subarray(PROPOSAL_HEADER_BYTES, offset));
  const transforms: WireTransform[] = [];
  for (let index = 0; index < transformCount; index++) {
    const cut = substructure(bytes, offset, TRANSFORM_HEADER_BYTES, MORE_TRANSFORMS, 'transform');
    if (!cut.ok) return cut;
    if (cut.value.more !== index < transformCount - 1)
      return fail(
        'invalid-syntax',
        `transform ${index + 1} of ${transformCount} is marked wrongly as last or not`,
      );
    const transform = decodeTransform(cut.value.bytes);
    if (!transform.ok) return transform;
    transforms.push(transform.value);
    offset += cut.value.bytes.length;
  }
  if (offset !== bytes.length)
    return fail('invalid-syntax', `${bytes.length - offset} bytes after the last transform`);
  return ok({ number: bytes[4], protocol, spi, transforms });
}

function decodeTransform(bytes: Uint8Array): Result<WireTransform> {
  let keyLengthBits: number | undefined;
  let unknownAttribute = false;
  let offset = TRANSFORM_HEADER_BYTES;
  while (offset < bytes.length) {
    if (bytes.length - offset < 4) return fail('invalid-syntax', 'a transform attribute is cut short');
    const format = (bytes[offset] << 8) | bytes[offset + 1];
    const value = (bytes[offset + 2] << 8) | bytes[offset + 3];
    const short = (format & ATTRIBUTE_SHORT) !== 0;
    offset += short ? 4 : 4 + value;
    if (offset > bytes.length)
      return fail('invalid-syntax', 'a transform attribute leads past its transform');
    // Key Length in the long form, or twice, is no attribute that we know: the transform is then not for choosing.
    if (short && (format & ~ATTRIBUTE_SHORT) === ATTRIBUTE_KEY_LENGTH && keyLengthBits === undefined)
      keyLengthBits = value;
    else unknownAttribute = true;
  }
  return ok({
    type: bytes[4],
    id: (bytes[6] << 8) | bytes[7],
    ...(keyLengthBits === undefined ? {} : { keyLengthBits }),
    ...(unknownAttribute ? { unknownAttribute } : {}),
  });
}

function encodeProposal(proposal: WireProposal, last: boolean): Uint8Array {
  const { number, protocol, spi, transforms } = proposal;
  if (transforms.length > 255 || spi.length > 255 || number > 255)
    throw new RangeError('a proposal has at most 255 transforms, an SPI of 255 bytes and number 255');
  const list = transforms.map((transform, index) =>
    encodeTransform(transform, index === transforms.length - 1),
  );
  const body = concat(spi, ...list);
  const length = PROPOSAL_HEADER_BYTES + body.length;
  const head = [
    last ? LAST : MORE_PROPOSALS,
    0,
    length >> 8,
    length & 0xff,
    number,
    protocol,
    spi.length,
    transforms.length,
  ];
  return concat(Uint8Array.from(head), body);
}

function encodeTransform({ type, id, keyLengthBits }: WireTransform, last: boolean): Uint8Array {
  const attributes =
    keyLengthBits === undefined
      ? []
      : [ATTRIBUTE_SHORT >> 8, ATTRIBUTE_KEY_LENGTH, (keyLengthBits >> 8) & 0xff, keyLengthBits & 0xff];
  const length = TRANSFORM_HEADER_BYTES + attributes.length;
  return Uint8Array.from([
    last ? LAST : MORE_TRANSFORMS,
    0,
    0,
    length,
    type,
    0,
    id >> 8,
    id & 0xff,
    ...attributes,
  ]);
}
