// The algorithm table: every algorithm of ike-native is one row here, and nothing else knows its numbers or lengths.
// Names are swanctl's (`aes256gcm16`, `sha256`, `prfsha384`, `curve25519`, `modp2048`).

/** An encryption transform (IKEv2 transform type 1). */
export interface EncryptionAlgorithm {
  readonly kind: 'encr';
  readonly name: string;
  /** IKEv2 transform id, the same for IKE and ESP. */
  readonly id: number;
  /** Key length in bits without salt. */
  readonly keyBits: number;
  /** Whether the transform carries a Key Length attribute (RFC 7296 §3.3.5); ChaCha20-Poly1305 must not. */
  readonly keyLengthAttribute: boolean;
  /** Bytes that follow the key in the key material and prefix the nonce (RFC 5282 §7.1); 0 outside AEAD and CTR. */
  readonly saltBytes: number;
  /** The explicit IV in each packet or message. */
  readonly ivBytes: number;
  /** Ciphertext is a multiple of this; 1 for stream-like modes. */
  readonly blockBytes: number;
  /** The integrity check value that the cipher itself makes; 0 when it is not an AEAD. */
  readonly icvBytes: number;
}

/** A pseudorandom function (transform type 2). */
export interface PrfAlgorithm {
  readonly kind: 'prf';
  readonly name: string;
  readonly id: number;
  /** Output length, and the preferred key length (RFC 7296 §2.13). */
  readonly outputBytes: number;
}

/** An integrity transform (transform type 3). */
export interface IntegrityAlgorithm {
  readonly kind: 'integ';
  readonly name: string;
  readonly id: number;
  readonly keyBytes: number;
  /** The truncated check value as sent. */
  readonly icvBytes: number;
}

/** A key exchange method (transform type 4). */
export interface KeyExchangeAlgorithm {
  readonly kind: 'ke';
  readonly name: string;
  readonly id: number;
  /** Length of the KE payload's data from each side. */
  readonly initiatorPublicBytes: number;
  readonly responderPublicBytes: number;
  readonly sharedBytes: number;
  /** Random bytes that one side's private value is made from. */
  readonly seedBytes: number;
  /** One side's work takes less time than handing it to another thread costs: it is done in place. */
  readonly quick: boolean;
}

/** Sequence numbers (transform type 5): 0 is 32-bit, 1 is extended (64-bit). */
export interface SequenceAlgorithm {
  readonly kind: 'esn';
  readonly name: 'noesn' | 'esn';
  readonly id: 0 | 1;
}

export type Algorithm =
  | EncryptionAlgorithm
  | PrfAlgorithm
  | IntegrityAlgorithm
  | KeyExchangeAlgorithm
  | SequenceAlgorithm;

export type AlgorithmKind = Algorithm['kind'];

const gcm16 = (keyBits: number): EncryptionAlgorithm => ({
  kind: 'encr',
  name: `aes${keyBits}gcm16`,
  id: 20,
  keyBits,
  keyLengthAttribute: true,
  saltBytes: 4,
  ivBytes: 8,
  blockBytes: 1,
  icvBytes: 16,
});
const cbc = (keyBits: number): EncryptionAlgorithm => ({
  kind: 'encr',
  name: `aes${keyBits}`,
  id: 12,
  keyBits,
  keyLengthAttribute: true,
  saltBytes: 0,
  ivBytes: 16,
  blockBytes: 16,
  icvBytes: 0,
});
const prf = (name: string, id: number, outputBytes: number): PrfAlgorithm => ({
  kind: 'prf',
  name,
  id,
  outputBytes,
});
const integ = (name: string, id: number, keyBytes: number, icvBytes: number): IntegrityAlgorithm => ({
  kind: 'integ',
  name,
  id,
  keyBytes,
  icvBytes,
});
const dh = (
  name: string,
  id: number,
  publicBytes: number,
  sharedBytes: number,
  seedBytes: number,
  quick = false,
): KeyExchangeAlgorithm => ({
  kind: 'ke',
  name,
  id,
  initiatorPublicBytes: publicBytes,
  responderPublicBytes: publicBytes,
  sharedBytes,
  seedBytes,
  quick,
});

export const ALGORITHMS: readonly Algorithm[] = Object.freeze([
  gcm16(128),
  gcm16(192),
  gcm16(256),
  cbc(128),
  cbc(192),
  cbc(256),
  prf('prfsha1', 2, 20),
  prf('prfsha256', 5, 32),
  prf('prfsha384', 6, 48),
  prf('prfsha512', 7, 64),
  integ('sha1', 2, 20, 12),
  integ('sha256', 12, 32, 16),
  integ('sha384', 13, 48, 24),
  integ('sha512', 14, 64, 32),
  dh('curve25519', 31, 32, 32, 32, true),
  dh('curve448', 32, 56, 56, 56),
  dh('ecp256', 19, 64, 32, 32, true),
  dh('ecp384', 20, 96, 48, 48),
  dh('ecp521', 21, 132, 66, 66),
  dh('ecp192', 25, 48, 24, 24),
  dh('ecp224', 26, 56, 28, 28),
  dh('ecp224bp', 27, 56, 28, 28),
  dh('ecp256bp', 28, 64, 32, 32),
  dh('ecp384bp', 29, 96, 48, 48),
  dh('ecp512bp', 30, 128, 64, 64),
  dh('modp2048', 14, 256, 256, 32),
  { kind: 'esn', name: 'noesn', id: 0 },
  { kind: 'esn', name: 'esn', id: 1 },
] satisfies Algorithm[]);

/** Other spellings that operators write. */
const ALIASES: Readonly<Record<string, string>> = {
  x25519: 'curve25519',
  x448: 'curve448',
  aes128gcm128: 'aes128gcm16',
  aes192gcm128: 'aes192gcm16',
  aes256gcm128: 'aes256gcm16',
  aes128gcm: 'aes128gcm16',
  aes192gcm: 'aes192gcm16',
  aes256gcm: 'aes256gcm16',
  aes: 'aes128',
  aes128cbc: 'aes128',
  aes192cbc: 'aes192',
  aes256cbc: 'aes256',
  sha: 'sha1',
  sha2_256: 'sha256',
  sha2_384: 'sha384',
  sha2_512: 'sha512',
};

const BY_NAME = new Map<string, Algorithm>(ALGORITHMS.map((row) => [row.name, row]));

/** Looks a row up by its configuration name or an alias; undefined when there is none. */
export function findAlgorithm(name: string): Algorithm | undefined {
  const lower = name.toLowerCase();
  return BY_NAME.get(ALIASES[lower] ?? lower);
}

/** The row of that kind and name; throws a RangeError where the program itself asks for one that does not exist. */
export function algorithm<K extends AlgorithmKind>(kind: K, name: string): Extract<Algorithm, { kind: K }> {
  const row = BY_NAME.get(name);
  if (row === undefined || row.kind !== kind) throw new RangeError(`no ${kind} algorithm named ${name}`);
  return row as Extract<Algorithm, { kind: K }>;
}

/** Looks a row up by its IKEv2 transform: kind, id, and the Key Length attribute where there was one. */
export function findTransform(
  kind: AlgorithmKind,
  id: number,
  keyLengthBits?: number,
): Algorithm | undefined {
  return ALGORITHMS.find(
    (row) =>
      row.kind === kind &&
      row.id === id &&
      (row.kind !== 'encr' ||
        (row.keyLengthAttribute ? row.keyBits === keyLengthBits : keyLengthBits === undefined)),
  );
}
