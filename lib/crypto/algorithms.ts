// The algorithm table: every algorithm of ike-native is one row here, and nothing else knows its numbers or lengths.
// Names are swanctl's (`aes256gcm16`, `sha256`, `prfsha384`, `curve25519`, `modp2048`).

/** What every cipher, PRF and integrity algorithm tells of itself. */
interface Standing {
  /** Says so where the algorithm has no place in IKE's own messages. */
  readonly only?: 'esp';
  /** Broken, or too weak for new SAs: there for old peers, used where it is named, never offered by itself (RFC 8247 §2, RFC 8221 §5). */
  readonly old?: true;
}

/** How a cipher works: what it is made of, and its mode. */
export type CipherMode =
  | 'aes-cbc'
  | 'aes-ctr'
  | 'aes-gcm'
  | 'aes-gmac'
  | 'aes-ccm'
  | 'chacha20-poly1305'
  | 'camellia-cbc'
  | '3des-cbc'
  | 'des-cbc'
  | 'null';

/** An encryption transform (IKEv2 transform type 1). */
export interface EncryptionAlgorithm extends Standing {
  readonly kind: 'encr';
  readonly name: string;
  readonly mode: CipherMode;
  /** IKEv2 transform id, the same for IKE and ESP. */
  readonly id: number;
  /** Key length in bits without salt. */
  readonly keyBits: number;
  /** Whether the transform carries a Key Length attribute (RFC 7296 §3.3.5); ChaCha20-Poly1305 must not. */
  readonly keyLengthAttribute: boolean;
  /** Bytes that follow the key in the key material and prefix the nonce (RFC 5282 §7.1); 0 outside AEAD and CTR. */
  readonly saltBytes: number;
  /** The explicit IV in each packet or message: with a salt it must be unique under the key, without one unpredictable. */
  readonly ivBytes: number;
  /** Ciphertext is a multiple of this; 1 for stream-like modes. */
  readonly blockBytes: number;
  /** The integrity check value that the cipher itself makes; 0 when it is not an AEAD. */
  readonly icvBytes: number;
  /** The name in Linux's XFRM; absent where it has none. */
  readonly xfrm?: string;
  /** The number in Linux's PF_KEY (SADB_EALG_*); absent where it takes none, as of AEADs. */
  readonly pfkey?: number;
}

/** A pseudorandom function (transform type 2). */
export interface PrfAlgorithm extends Standing {
  readonly kind: 'prf';
  readonly name: string;
  readonly id: number;
  /** Output length, and the preferred key length (RFC 7296 §2.13). */
  readonly outputBytes: number;
  /** The key has this length by nature; RFC 7296 §2.14 then takes only half of it from each nonce for SKEYSEED. */
  readonly fixedKeyBytes?: number;
}

/** An integrity transform (transform type 3). */
export interface IntegrityAlgorithm extends Standing {
  readonly kind: 'integ';
  readonly name: string;
  readonly id: number;
  readonly keyBytes: number;
  /** The truncated check value as sent. */
  readonly icvBytes: number;
  /** The name in Linux's XFRM; absent where it has none. */
  readonly xfrm?: string;
  /** The number in Linux's PF_KEY (SADB_AALG_*), which means one truncation: 96 bits with SHA-256. */
  readonly pfkey?: number;
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
  /** Of a MODP group that is in no registry (private-group.ts). */
  readonly group?: PrivateGroup;
}

/** The prime is unsigned and big-endian. */
export interface PrivateGroup {
  readonly prime: Uint8Array;
  readonly generator: number;
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

/** A row of a cipher: name, id, mode, then lengths. */
const cipher = (
  name: string,
  id: number,
  mode: CipherMode,
  lengths: Pick<EncryptionAlgorithm, 'keyBits' | 'ivBytes'> & Partial<EncryptionAlgorithm>,
): EncryptionAlgorithm => ({
  kind: 'encr',
  name,
  id,
  mode,
  keyLengthAttribute: true,
  saltBytes: 0,
  blockBytes: 1,
  icvBytes: 0,
  ...lengths,
});
/** The same cipher with keys of 128, 192 and 256 bits; `#` in the name stands for them. */
const sizes = (
  name: string,
  id: number,
  mode: CipherMode,
  lengths: Pick<EncryptionAlgorithm, 'ivBytes'> & Partial<EncryptionAlgorithm>,
): readonly EncryptionAlgorithm[] =>
  [128, 192, 256].map((keyBits) =>
    cipher(name.replace('#', String(keyBits)), id, mode, { keyBits, ...lengths }),
  );
const gcm = (id: number, icvBytes: number) =>
  sizes(`aes#gcm${icvBytes}`, id, 'aes-gcm', {
    saltBytes: 4,
    ivBytes: 8,
    icvBytes,
    xfrm: 'rfc4106(gcm(aes))',
  });
const ccm = (id: number, icvBytes: number) =>
  sizes(`aes#ccm${icvBytes}`, id, 'aes-ccm', {
    saltBytes: 3,
    ivBytes: 8,
    icvBytes,
    xfrm: 'rfc4309(ccm(aes))',
  });
const prf = (
  name: string,
  id: number,
  outputBytes: number,
  more: Partial<PrfAlgorithm> = {},
): PrfAlgorithm => ({ kind: 'prf', name, id, outputBytes, ...more });
const integ = (
  name: string,
  id: number,
  keyBytes: number,
  icvBytes: number,
  xfrm: string,
  more: Partial<IntegrityAlgorithm> = {},
): IntegrityAlgorithm => ({ kind: 'integ', name, id, keyBytes, icvBytes, xfrm, ...more });
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
/** An encapsulation key one way, a ciphertext the other (FIPS 203 §8). */
const mlkem = (
  name: string,
  id: number,
  initiatorPublicBytes: number,
  responderPublicBytes: number,
): KeyExchangeAlgorithm => ({
  kind: 'ke',
  name,
  id,
  initiatorPublicBytes,
  responderPublicBytes,
  sharedBytes: 32,
  seedBytes: 64,
  quick: true,
});
const modp = (name: string, id: number, bits: number, seedBytes: number): KeyExchangeAlgorithm =>
  dh(name, id, bits / 8, bits / 8, seedBytes);

export const ALGORITHMS: readonly Algorithm[] = Object.freeze([
  ...gcm(20, 16),
  ...gcm(19, 12),
  ...gcm(18, 8),
  cipher('chacha20poly1305', 28, 'chacha20-poly1305', {
    keyBits: 256,
    keyLengthAttribute: false,
    saltBytes: 4,
    ivBytes: 8,
    icvBytes: 16,
    xfrm: 'rfc7539esp(chacha20,poly1305)',
  }),
  ...ccm(16, 16),
  ...ccm(15, 12),
  ...ccm(14, 8),
  ...sizes('aes#', 12, 'aes-cbc', { ivBytes: 16, blockBytes: 16, xfrm: 'cbc(aes)', pfkey: 12 }),
  ...sizes('aes#ctr', 13, 'aes-ctr', { saltBytes: 4, ivBytes: 8, xfrm: 'rfc3686(ctr(aes))', pfkey: 13 }),
  ...sizes('camellia#', 23, 'camellia-cbc', {
    ivBytes: 16,
    blockBytes: 16,
    xfrm: 'cbc(camellia)',
    pfkey: 22,
  }),
  ...sizes('aes#gmac', 21, 'aes-gmac', {
    saltBytes: 4,
    ivBytes: 8,
    icvBytes: 16,
    only: 'esp',
    xfrm: 'rfc4543(gcm(aes))',
  }),
  cipher('null', 11, 'null', {
    keyBits: 0,
    keyLengthAttribute: false,
    ivBytes: 0,
    only: 'esp',
    xfrm: 'ecb(cipher_null)',
    pfkey: 11,
  }),
  cipher('3des', 3, '3des-cbc', {
    keyBits: 192,
    keyLengthAttribute: false,
    ivBytes: 8,
    blockBytes: 8,
    old: true,
    xfrm: 'cbc(des3_ede)',
    pfkey: 3,
  }),
  cipher('des', 2, 'des-cbc', {
    keyBits: 64,
    keyLengthAttribute: false,
    ivBytes: 8,
    blockBytes: 8,
    old: true,
    xfrm: 'cbc(des)',
    pfkey: 2,
  }),
  prf('prfmd5', 1, 16, { old: true }),
  prf('prfsha1', 2, 20),
  prf('prfsha256', 5, 32),
  prf('prfsha384', 6, 48),
  prf('prfsha512', 7, 64),
  prf('prfaesxcbc', 4, 16, { fixedKeyBytes: 16 }),
  prf('prfaescmac', 8, 16, { fixedKeyBytes: 16 }),
  integ('md5', 1, 16, 12, 'hmac(md5)', { old: true, pfkey: 2 }),
  integ('sha1', 2, 20, 12, 'hmac(sha1)', { pfkey: 3 }),
  integ('sha256', 12, 32, 16, 'hmac(sha256)'),
  integ('sha384', 13, 48, 24, 'hmac(sha384)', { pfkey: 6 }),
  integ('sha512', 14, 64, 32, 'hmac(sha512)', { pfkey: 7 }),
  integ('aesxcbc', 5, 16, 12, 'xcbc(aes)', { pfkey: 9 }),
  integ('aescmac', 8, 16, 12, 'cmac(aes)'),
  // What Linux before 2.6.33 and old Androids mean by number 12; a peer does not say which it is.
  integ('sha256_96', 12, 32, 12, 'hmac(sha256)', { only: 'esp', pfkey: 5 }),
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
  mlkem('mlkem512', 35, 800, 768),
  mlkem('mlkem768', 36, 1184, 1088),
  mlkem('mlkem1024', 37, 1568, 1568),
  // Exponents have twice the bits of the group's strength (RFC 3526 §8), in RFC 5114's groups those of the order.
  modp('modp768', 1, 768, 24),
  modp('modp1024', 2, 1024, 24),
  modp('modp1536', 5, 1536, 32),
  modp('modp2048', 14, 2048, 32),
  modp('modp3072', 15, 3072, 36),
  modp('modp4096', 16, 4096, 40),
  modp('modp6144', 17, 6144, 48),
  modp('modp8192', 18, 8192, 52),
  modp('modp1024s160', 22, 1024, 20),
  modp('modp2048s224', 23, 2048, 28),
  modp('modp2048s256', 24, 2048, 32),
  { kind: 'esn', name: 'noesn', id: 0 },
  { kind: 'esn', name: 'esn', id: 1 },
] satisfies Algorithm[]);

/** Other spellings that operators write. */
const ALIASES: Readonly<Record<string, string>> = {
  ...Object.fromEntries([128, 192, 256].flatMap(aesAliases)),
  x25519: 'curve25519',
  x448: 'curve448',
  aes: 'aes128',
  aes128cbc: 'aes128',
  aes192cbc: 'aes192',
  aes256cbc: 'aes256',
  camellia: 'camellia128',
  sha: 'sha1',
  sha2_256: 'sha256',
  sha2_384: 'sha384',
  sha2_512: 'sha512',
  sha2_256_96: 'sha256_96',
};

/** `aes128gcm`, `aes128gcm128`, `aes128ccm64`: the check value may be left out, or told in bits. */
function aesAliases(keyBits: number): [alias: string, name: string][] {
  const modes = ['gcm', 'ccm'].map((mode) => `aes${keyBits}${mode}`);
  return modes.flatMap((mode): [string, string][] => [
    [mode, `${mode}16`],
    ...[8, 12, 16].map((icvBytes): [string, string] => [`${mode}${8 * icvBytes}`, `${mode}${icvBytes}`]),
  ]);
}

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
  return ALGORITHMS.find((row) => row.kind === kind && hasTransform(row, id, keyLengthBits));
}

/** Whether a row goes by that transform. More than one may: what tells them apart is not negotiated. */
export function hasTransform(row: Algorithm, id: number, keyLengthBits?: number): boolean {
  if (row.id !== id) return false;
  return (
    row.kind !== 'encr' ||
    (row.keyLengthAttribute ? row.keyBits === keyLengthBits : keyLengthBits === undefined)
  );
}
