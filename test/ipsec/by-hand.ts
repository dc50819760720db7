// ESP packets made with node:crypto alone, field by field as RFC 4303 §2 draws them, and the SAs that they belong to. Nothing
// here calls the code under test.

import { concat, uint32 } from '../../lib/bytes.ts';
import { algorithm, findAlgorithm } from '../../lib/crypto/algorithms.ts';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { parseSelector, type TrafficSelector } from '../../lib/ipsec/selector.ts';
import { nodeDecrypt, nodeEncrypt, nodeOpen, nodePrf, nodeSeal } from '../lib/node-ciphers.ts';

/** `aes256gcm16`, or a cipher and an integrity algorithm with a dash between. */
export type SuiteName = string;

export const SUITES: readonly SuiteName[] = [
  'aes128gcm16',
  'aes192gcm16',
  'aes256gcm16',
  'aes128-sha1',
  'aes128-sha256',
  'aes192-sha384',
  'aes256-sha512',
  'aes128gcm8',
  'aes256gcm12',
  'aes128ccm8',
  'aes192ccm12',
  'aes256ccm16',
  'chacha20poly1305',
  'aes128gmac',
  'aes256gmac',
  'aes128ctr-sha256',
  'aes256ctr-aescmac',
  'camellia128-aesxcbc',
  'camellia256-sha1',
  'aes128-sha256_96',
  'null-sha256',
  '3des-md5',
  'des-sha1',
];

export function selectors(...texts: readonly string[]): TrafficSelector[] {
  return texts.map((text) => {
    const parsed = parseSelector(text);
    if (!parsed.ok) throw new TypeError(parsed.error.message);
    return parsed.value;
  });
}

/** Bytes that differ from place to place, from a number. */
export function patterned(lengthBytes: number, start: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => (start + i * 29) & 0xff);
}

/** Parameters of an SA between 10.1.0.0/16, fd00:1::/32 and 10.2.0.0/16, fd00:2::/32, over loopback. */
export function saParameters(suite: SuiteName, overrides: Partial<EspParameters> = {}): EspParameters {
  const [cipher, mac] = suite.split('-');
  const encryption = algorithm('encr', cipher);
  const integrity = mac === undefined ? undefined : findAlgorithm(mac);
  if (integrity !== undefined && integrity.kind !== 'integ') throw new TypeError(suite);
  return {
    id: 1,
    direction: 'out',
    protocol: 'esp',
    mode: 'tunnel',
    spi: 0x11223344,
    policyId: 100,
    local: { address: '127.0.0.1', port: 4500 },
    remote: { address: '127.0.0.2', port: 4500 },
    udpEncapsulation: true,
    encryption,
    encryptionKey: patterned(encryption.keyBits / 8 + encryption.saltBytes, 3),
    ...(integrity === undefined ? {} : { integrity, integrityKey: patterned(integrity.keyBytes, 77) }),
    esn: false,
    replayWindow: 64,
    localTs: selectors('10.1.0.0/16', 'fd00:1::/32'),
    remoteTs: selectors('10.2.0.0/16', 'fd00:2::/32'),
    ...overrides,
  };
}

/** The inbound SA that hears what `out` says. */
export function mirror(out: EspParameters, overrides: Partial<EspParameters> = {}): EspParameters {
  return {
    ...out,
    id: out.id + 1,
    direction: 'in',
    local: out.remote,
    remote: out.local,
    localTs: out.remoteTs,
    remoteTs: out.localTs,
    ...overrides,
  };
}

/** Payload, padding 1, 2, 3, ..., pad length and next header, aligned for the SA's cipher. */
export function withTrailer(sa: EspParameters, payload: Uint8Array, nextHeader: number): Uint8Array {
  // Blocks of CBC; everything else is aligned to 4 bytes.
  const blocks: Readonly<Record<string, number>> = {
    'aes-cbc': 16,
    'camellia-cbc': 16,
    '3des-cbc': 8,
    'des-cbc': 8,
  };
  const align = blocks[sa.encryption.mode] ?? 4;
  let pad: number[] = [];
  while ((payload.length + pad.length + 2) % align !== 0) pad = [...pad, pad.length + 1];
  return concat(payload, Uint8Array.from([...pad, pad.length, nextHeader]));
}

/** The ESP packet of a plaintext that has its trailer. `sequence` is the full number; its upper half counts with ESN alone. */
export function espByHand(
  sa: EspParameters,
  sequence: bigint,
  iv: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const { low, high } = halves(sequence);
  const header = concat(uint32(sa.spi), low);
  const { encryption, encryptionKey } = sa;
  if (encryption.icvBytes > 0)
    return concat(header, iv, nodeSeal(encryption, encryptionKey, iv, additional(sa, low, high), plaintext));
  const body = concat(header, iv, nodeEncrypt(encryption, encryptionKey, iv, plaintext));
  return concat(body, icvByHand(sa, body, high));
}

export interface Taken {
  readonly header: Uint8Array;
  readonly iv: Uint8Array;
  /** With its trailer. */
  readonly plaintext: Uint8Array;
}

/** Takes an ESP packet apart; throws when its check value is wrong. */
export function openByHand(sa: EspParameters, sequence: bigint, esp: Uint8Array): Taken {
  const { low, high } = halves(sequence);
  const header = esp.slice(0, 8);
  const { encryption, encryptionKey } = sa;
  const bodyAt = 8 + encryption.ivBytes;
  const iv = esp.slice(8, bodyAt);
  if (encryption.icvBytes > 0) {
    const plaintext = nodeOpen(
      encryption,
      encryptionKey,
      iv,
      additional(sa, low, high),
      esp.subarray(bodyAt),
    );
    if (plaintext === undefined) throw new Error('the check value is wrong');
    return { header, iv, plaintext };
  }
  const icvAt = esp.length - (sa.integrity?.icvBytes ?? 0);
  const expected = icvByHand(sa, esp.subarray(0, icvAt), high);
  if (Buffer.compare(expected, esp.subarray(icvAt)) !== 0) throw new Error('the check value is wrong');
  const plaintext = nodeDecrypt(encryption, encryptionKey, iv, esp.subarray(bodyAt, icvAt));
  return { header, iv, plaintext };
}

/** RFC 4106 §5 and its followers: with ESN the whole number. */
function additional(sa: EspParameters, low: Uint8Array, high: Uint8Array): Uint8Array {
  return sa.esn ? concat(uint32(sa.spi), high, low) : concat(uint32(sa.spi), low);
}

/** Over the packet, and with ESN over the upper half of the number behind it; cut to half (RFC 4868 §2.3) or to 96 bits. */
export function icvByHand(sa: EspParameters, body: Uint8Array, high: Uint8Array): Uint8Array {
  const name = sa.integrity?.name ?? '';
  const bytes = { sha256: 16, sha384: 24, sha512: 32 }[name] ?? 12;
  const data = sa.esn ? concat(body, high) : body;
  return nodePrf(name, sa.integrityKey ?? new Uint8Array(0), data).slice(0, bytes);
}

function halves(sequence: bigint): { low: Uint8Array; high: Uint8Array } {
  return { low: uint32(Number(sequence & 0xffffffffn)), high: uint32(Number(sequence >> 32n)) };
}
