// The numbers that IKEv1 has for the algorithms of the table: phase 1 attributes (RFC 2409 Appendix A, RFC 3602, RFC 4312, RFC 4868), ESP
// and AH transforms and the authentication attribute of phase 2 (RFC 2407 §4.4, §4.5 and what IANA added). Undefined: IKEv1 has none.

import {
  ALGORITHMS,
  algorithm,
  type EncryptionAlgorithm,
  type IntegrityAlgorithm,
  type KeyExchangeAlgorithm,
  type PrfAlgorithm,
} from './algorithms.ts';
import type { HashName } from './provider.ts';

const PHASE1_CIPHERS: Readonly<Partial<Record<EncryptionAlgorithm['mode'], number>>> = {
  'des-cbc': 1,
  '3des-cbc': 5,
  'aes-cbc': 7,
  'camellia-cbc': 8,
};

const PHASE1_HASHES: Readonly<Record<HashName, number>> = {
  md5: 1,
  sha1: 2,
  sha256: 4,
  sha384: 5,
  sha512: 6,
};

/** Number by ICV length where the mode has several. */
const ESP_CIPHERS: Readonly<Partial<Record<EncryptionAlgorithm['mode'], (icvBytes: number) => number>>> = {
  'des-cbc': () => 2,
  '3des-cbc': () => 3,
  null: () => 11,
  'aes-cbc': () => 12,
  'aes-ctr': () => 13,
  'aes-ccm': (icvBytes) => ({ 8: 14, 12: 15 })[icvBytes] ?? 16,
  'aes-gcm': (icvBytes) => ({ 8: 18, 12: 19 })[icvBytes] ?? 20,
  'camellia-cbc': () => 22,
  'aes-gmac': () => 23,
};

/** Authentication attribute of ESP, and the AH transform, by the name of the integrity algorithm. */
const INTEGRITY: Readonly<Record<string, readonly [authentication: number, ah: number]>> = {
  md5: [1, 2],
  sha1: [2, 3],
  sha256: [5, 5],
  sha256_96: [5, 5],
  sha384: [6, 6],
  sha512: [7, 7],
  aesxcbc: [9, 9],
};

/** Groups whose numbers IKEv1 shares with IKEv2; curve25519 and what came after it are IKEv2's alone (RFC 8031). */
const LAST_GROUP = 30;

/** Encryption attribute of phase 1. AEADs have none. */
export function phase1CipherId(row: EncryptionAlgorithm): number | undefined {
  return PHASE1_CIPHERS[row.mode];
}

/** Hash attribute of phase 1. */
export function phase1HashId(name: HashName): number {
  return PHASE1_HASHES[name];
}

/** The hash that an integrity algorithm is made with, and the PRF that HMAC makes of it (RFC 2409 §4). */
export function hashOf(
  row: IntegrityAlgorithm,
): { readonly name: HashName; readonly prf: PrfAlgorithm } | undefined {
  if (!Object.hasOwn(PHASE1_HASHES, row.name)) return undefined;
  return { name: row.name as HashName, prf: algorithm('prf', `prf${row.name}`) };
}

/** Group description attribute of both phases. */
export function groupId(row: KeyExchangeAlgorithm): number | undefined {
  return row.group !== undefined || row.id <= LAST_GROUP ? row.id : undefined;
}

/** ESP transform identifier. */
export function espCipherId(row: EncryptionAlgorithm): number | undefined {
  return ESP_CIPHERS[row.mode]?.(row.icvBytes);
}

/** Authentication algorithm attribute of ESP and AH. */
export function authenticationId(row: IntegrityAlgorithm): number | undefined {
  return Object.hasOwn(INTEGRITY, row.name) ? INTEGRITY[row.name][0] : undefined;
}

/** AH transform identifier. */
export function ahId(row: IntegrityAlgorithm): number | undefined {
  return Object.hasOwn(INTEGRITY, row.name) ? INTEGRITY[row.name][1] : undefined;
}

/** The cipher of a phase 1 offer, for reports. */
export function phase1CipherName(id: number, keyBits: number | undefined): string | undefined {
  return ALGORITHMS.find(
    (row) =>
      row.kind === 'encr' &&
      phase1CipherId(row) === id &&
      (row.keyLengthAttribute ? row.keyBits === keyBits : keyBits === undefined),
  )?.name;
}

/** Broken, or too weak for new SAs (RFC 8247 §2.1 to §2.4). */
export function isWeak(row: EncryptionAlgorithm | IntegrityAlgorithm | KeyExchangeAlgorithm): boolean {
  if (row.kind === 'ke') return row.id === 1 || row.id === 2 || row.id === 22;
  return row.old === true;
}
