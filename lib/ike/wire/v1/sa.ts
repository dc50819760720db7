// The body of an SA payload: DOI, situation, proposals, their transforms (RFC 2408 §3.4 to §3.6). Proposals and transforms are chains
// of their own with lengths and counts; all of them must agree (RFC 2408 §5.4 to §5.6).

import { concat, readUint32, uint32 } from '../../../bytes.ts';
import { fail, ok, type Result } from '../../../errors.ts';
import { decodeAttributes, encodeAttributes } from './attributes.ts';
import {
  IPSEC_DOI,
  type SaPayload,
  SIT_IDENTITY_ONLY,
  type V1Proposal,
  type V1Transform,
} from './message.ts';

const NO_MORE = 0;
const PROPOSAL = 2;
const TRANSFORM = 3;
const FIXED_BYTES = 8;
const HEADER_BYTES = 8;

/**
 * Reads an SA payload's body. Fails with `doi-not-supported` and `situation-not-supported` (RFC 2408 §5.4), `bad-proposal-syntax`
 * where lengths, counts and chains disagree.
 */
export function decodeSa(body: Uint8Array): Result<SaPayload> {
  if (body.length < FIXED_BYTES) return bad('an SA payload is cut short');
  const doi = readUint32(body, 0);
  // 0 is the generic ISAKMP DOI, which a phase 1 SA may have as well (RFC 2408 §2.1).
  if (doi !== IPSEC_DOI && doi !== 0) return fail('doi-not-supported', `DOI ${doi} where IPsec has 1`);
  const situation = readUint32(body, 4);
  if (doi === IPSEC_DOI && situation !== SIT_IDENTITY_ONLY)
    return fail('situation-not-supported', `situation ${situation} where only identity has a meaning here`);
  const proposals: V1Proposal[] = [];
  let offset = FIXED_BYTES;
  let next = PROPOSAL;
  // Each turn takes at least 8 bytes.
  while (next !== NO_MORE) {
    const cut = substructure(body, offset, PROPOSAL, 'proposal');
    if (!cut.ok) return cut;
    const proposal = decodeProposal(cut.value.bytes);
    if (!proposal.ok) return proposal;
    const before = proposals.at(-1);
    // RFC 2408 §4.2: numbers increase; equal ones stand together.
    if (before !== undefined && proposal.value.number < before.number)
      return bad(`proposal ${proposal.value.number} stands behind ${before.number}`);
    proposals.push(proposal.value);
    offset += cut.value.bytes.length;
    next = cut.value.next;
  }
  if (offset !== body.length) return bad(`${body.length - offset} bytes after the last proposal`);
  return ok({ type: 'SA', doi, situation, proposals });
}

/** Writes an SA payload's body. RangeError beyond 255 transforms a proposal. */
export function encodeSa({ doi, situation, proposals }: SaPayload): Uint8Array {
  return concat(
    uint32(doi),
    uint32(situation),
    ...proposals.map((proposal, index) => encodeProposal(proposal, index === proposals.length - 1)),
  );
}

function decodeProposal(bytes: Uint8Array): Result<V1Proposal> {
  const spiBytes = bytes[6];
  const count = bytes[7];
  let offset = HEADER_BYTES + spiBytes;
  if (offset > bytes.length) return bad('an SPI leads past its proposal');
  if (count === 0) return bad('a proposal without transforms');
  const transforms: V1Transform[] = [];
  for (let index = 0; index < count; index++) {
    const cut = substructure(bytes, offset, TRANSFORM, 'transform');
    if (!cut.ok) return cut;
    if ((cut.value.next === NO_MORE) !== (index === count - 1))
      return bad(`transform ${index + 1} of ${count} is marked wrongly as last or not`);
    const transform = cut.value.bytes;
    const attributes = decodeAttributes(transform.subarray(HEADER_BYTES), 'a transform');
    if (!attributes.ok) return bad(attributes.error.message);
    transforms.push({ number: transform[4], id: transform[5], attributes: attributes.value });
    offset += transform.length;
  }
  if (offset !== bytes.length) return bad(`${bytes.length - offset} bytes after the last transform`);
  const spi = new Uint8Array(bytes.subarray(HEADER_BYTES, HEADER_BYTES + spiBytes));
  return ok({ number: bytes[4], protocol: bytes[5], spi, transforms });
}

/** Cuts one out of a chain: byte 0 is the type of the next one, bytes 2 and 3 its own length. */
function substructure(
  bytes: Uint8Array,
  offset: number,
  type: number,
  what: string,
): Result<{ bytes: Uint8Array; next: number }> {
  const left = bytes.length - offset;
  if (left < HEADER_BYTES) return bad(`a ${what} needs ${HEADER_BYTES} bytes, ${left} are left`);
  const next = bytes[offset];
  if (next !== NO_MORE && next !== type) return bad(`a ${what} is followed by type ${next}`);
  const length = (bytes[offset + 2] << 8) | bytes[offset + 3];
  if (length < HEADER_BYTES || length > left)
    return bad(`a ${what} says ${length} bytes where ${left} are left`);
  return ok({ bytes: bytes.subarray(offset, offset + length), next });
}

function encodeProposal({ number, protocol, spi, transforms }: V1Proposal, last: boolean): Uint8Array {
  if (transforms.length === 0 || transforms.length > 255 || spi.length > 255 || number > 255)
    throw new RangeError(
      'a proposal has 1 to 255 transforms, an SPI of at most 255 bytes and a number to 255',
    );
  const list = transforms.map((transform, index) => {
    const attributes = encodeAttributes(transform.attributes);
    const head = [transform.number, transform.id, 0, 0];
    return frame(index === transforms.length - 1 ? NO_MORE : TRANSFORM, head, attributes);
  });
  return frame(
    last ? NO_MORE : PROPOSAL,
    [number, protocol, spi.length, transforms.length],
    concat(spi, ...list),
  );
}

function frame(next: number, head: readonly number[], rest: Uint8Array): Uint8Array {
  const length = HEADER_BYTES + rest.length;
  if (length > 0xffff) throw new RangeError(`a substructure of ${length} bytes`);
  return concat(Uint8Array.of(next, 0, length >> 8, length & 0xff, ...head), rest);
}

function bad(message: string): ReturnType<typeof fail<'bad-proposal-syntax'>> {
  return fail('bad-proposal-syntax', message);
}
