// The fixed 28 bytes in front of every message: the IKE header (RFC 7296 §3.1), and the ISAKMP header of IKEv1
// (RFC 2408 §3.1) that shares its layout but not its flags. All integers are big-endian.
//
//   0 initiator SPI | 8 responder SPI | 16 next payload | 17 version | 18 exchange | 19 flags | 20 message id | 24 length

import { fail, ok, type Result } from '../../errors.ts';
import type { Header } from './message.ts';

export const HEADER_BYTES = 28;

const FLAG_INITIATOR = 0x08;
const FLAG_VERSION = 0x10;
const FLAG_RESPONSE = 0x20;

const ISAKMP_ENCRYPTED = 0x01;
const ISAKMP_COMMIT = 0x02;
const ISAKMP_AUTHENTICATION_ONLY = 0x04;

/** A header with the two fields that belong to the frame and not to the meaning. */
export interface Framed<H> {
  readonly header: H;
  /** Type number of the first payload. */
  readonly nextPayload: number;
  /** Header and payloads: always the length of the datagram that was read. */
  readonly lengthBytes: number;
}

/** The header of an IKEv1 message (RFC 2408 §3.1). */
export interface IsakmpHeader {
  /** 8 bytes each as an unsigned big-endian number. */
  readonly initiatorCookie: bigint;
  readonly responderCookie: bigint;
  readonly majorVersion: number;
  readonly minorVersion: number;
  readonly exchange: number;
  readonly flags: {
    readonly encrypted: boolean;
    readonly commit: boolean;
    readonly authenticationOnly: boolean;
  };
  readonly messageId: number;
}

/**
 * Reads the header of a whole message of any version: `majorVersion` tells the caller what follows. Fails with
 * `invalid-syntax` when it is cut short, its length is not the datagram's, or the initiator's SPI is zero (RFC 7296 §3.1).
 * Reserved flags and the minor version are read and never a reason to refuse (RFC 7296 §2.5).
 */
export function decodeHeader(bytes: Uint8Array): Result<Header> {
  const frame = decodeFrame(bytes);
  return frame.ok ? ok(frame.value.header) : frame;
}

/** {@link decodeHeader} together with the first payload's type and the length. */
export function decodeFrame(bytes: Uint8Array): Result<Framed<Header>> {
  const fixed = readFixed(bytes);
  if (!fixed.ok) return fixed;
  const { initiator, responder, flags, nextPayload, lengthBytes, ...rest } = fixed.value;
  const header = {
    initiatorSpi: initiator,
    responderSpi: responder,
    ...rest,
    flags: {
      initiator: (flags & FLAG_INITIATOR) !== 0,
      response: (flags & FLAG_RESPONSE) !== 0,
      version: (flags & FLAG_VERSION) !== 0,
    },
  };
  return ok({ header, nextPayload, lengthBytes });
}

/** Reads an ISAKMP header; fails as {@link decodeHeader} does, and with `invalid-major-version` when it is not version 1. */
export function decodeIsakmpHeader(bytes: Uint8Array): Result<Framed<IsakmpHeader>> {
  const fixed = readFixed(bytes);
  if (!fixed.ok) return fixed;
  const { initiator, responder, flags, nextPayload, lengthBytes, ...rest } = fixed.value;
  if (rest.majorVersion !== 1)
    return fail('invalid-major-version', `major version ${rest.majorVersion} where ISAKMP has 1`);
  const header = {
    initiatorCookie: initiator,
    responderCookie: responder,
    ...rest,
    flags: {
      encrypted: (flags & ISAKMP_ENCRYPTED) !== 0,
      commit: (flags & ISAKMP_COMMIT) !== 0,
      authenticationOnly: (flags & ISAKMP_AUTHENTICATION_ONLY) !== 0,
    },
  };
  return ok({ header, nextPayload, lengthBytes });
}

/**
 * Writes the 28 bytes. `nextPayload` is the first payload's type number, `lengthBytes` the whole message's. A message
 * without payloads is the default.
 */
export function encodeHeader(header: Header, nextPayload = 0, lengthBytes = HEADER_BYTES): Uint8Array {
  const { initiator, response, version } = header.flags;
  return writeFixed({
    initiator: header.initiatorSpi,
    responder: header.responderSpi,
    majorVersion: header.majorVersion,
    minorVersion: header.minorVersion,
    exchange: header.exchange,
    flags: (initiator ? FLAG_INITIATOR : 0) | (version ? FLAG_VERSION : 0) | (response ? FLAG_RESPONSE : 0),
    messageId: header.messageId,
    nextPayload,
    lengthBytes,
  });
}

/** Writes an ISAKMP header; the arguments are those of {@link encodeHeader}. */
export function encodeIsakmpHeader(
  header: IsakmpHeader,
  nextPayload = 0,
  lengthBytes = HEADER_BYTES,
): Uint8Array {
  const { encrypted, commit, authenticationOnly } = header.flags;
  return writeFixed({
    initiator: header.initiatorCookie,
    responder: header.responderCookie,
    majorVersion: header.majorVersion,
    minorVersion: header.minorVersion,
    exchange: header.exchange,
    flags:
      (encrypted ? ISAKMP_ENCRYPTED : 0) |
      (commit ? ISAKMP_COMMIT : 0) |
      (authenticationOnly ? ISAKMP_AUTHENTICATION_ONLY : 0),
    messageId: header.messageId,
    nextPayload,
    lengthBytes,
  });
}

interface Fixed {
  readonly initiator: bigint;
  readonly responder: bigint;
  readonly nextPayload: number;
  readonly majorVersion: number;
  readonly minorVersion: number;
  readonly exchange: number;
  readonly flags: number;
  readonly messageId: number;
  readonly lengthBytes: number;
}

function readFixed(bytes: Uint8Array): Result<Fixed> {
  if (bytes.length < HEADER_BYTES)
    return fail('invalid-syntax', `${bytes.length} bytes cannot hold a header of 28`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthBytes = view.getUint32(24);
  if (lengthBytes !== bytes.length)
    return fail('invalid-syntax', `the header says ${lengthBytes} bytes, the datagram has ${bytes.length}`);
  const initiator = view.getBigUint64(0);
  if (initiator === 0n) return fail('invalid-syntax', "the initiator's SPI is zero");
  return ok({
    initiator,
    responder: view.getBigUint64(8),
    nextPayload: bytes[16],
    majorVersion: bytes[17] >> 4,
    minorVersion: bytes[17] & 0x0f,
    exchange: bytes[18],
    flags: bytes[19],
    messageId: view.getUint32(20),
    lengthBytes,
  });
}

function writeFixed(fixed: Fixed): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, fixed.initiator);
  view.setBigUint64(8, fixed.responder);
  out[16] = fixed.nextPayload;
  out[17] = (fixed.majorVersion << 4) | fixed.minorVersion;
  out[18] = fixed.exchange;
  out[19] = fixed.flags;
  view.setUint32(20, fixed.messageId);
  view.setUint32(24, fixed.lengthBytes);
  return out;
}
