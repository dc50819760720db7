// The interfaces of lib/crypto/provider.ts made of node:crypto (OpenSSL) alone: the independent oracle of the tests, and what
// the simulation runs on. Everything is deterministic from the caller's keys, IVs and seeds.

import {
  createDiffieHellman,
  createDiffieHellmanGroup,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type DiffieHellman,
  diffieHellman,
  type ECDH,
  type KeyObject,
} from 'node:crypto';
import { concat, fromHex, toHex } from '../../lib/bytes.ts';
import type { KeyExchangeAlgorithm, PrivateGroup } from '../../lib/crypto/algorithms.ts';
import type { Crypto, KeyExchangeJob, KeyExchangeOutcome } from '../../lib/crypto/provider.ts';
import { fail, ok } from '../../lib/errors.ts';
import { nodeDecrypt, nodeEncrypt, nodeOpen, nodePrf, nodeSeal } from './node-ciphers.ts';

const NOTHING = new Uint8Array(0);
/** PKCS#8 and SPKI headers of X25519 keys (RFC 8410); the raw key follows. */
const X25519_PRIVATE = fromHex('302e020100300506032b656e04220420');
const X25519_PUBLIC = fromHex('302a300506032b656e032100');

/** `Crypto` by OpenSSL. */
export function nodeCrypto(): Crypto {
  return {
    prf: ({ name }, key, ...data) => nodePrf(name, key, ...data),
    prfPlus(algorithm, key, seed, lengthBytes) {
      if (lengthBytes > 255 * algorithm.outputBytes) throw new RangeError('prf+ has at most 255 blocks');
      const out = new Uint8Array(lengthBytes);
      let block: Uint8Array = NOTHING;
      for (let filled = 0, n = 1; filled < lengthBytes; n++) {
        block = nodePrf(algorithm.name, key, block, seed, Uint8Array.of(n));
        out.set(block.subarray(0, lengthBytes - filled), filled);
        filled += block.length;
      }
      return out;
    },
    integrity: ({ name, icvBytes }, key, ...data) => nodePrf(name, key, ...data).slice(0, icvBytes),
    sha1: (...data) => digest('sha1', data),
    hash: digestOf,
    ikev1: {
      deriveSkeyids(prf, skeyid, secret, { initiator, responder }) {
        const next = (before: Uint8Array, n: number) =>
          nodePrf(prf.name, skeyid, before, secret, initiator, responder, Uint8Array.of(n));
        const d = next(NOTHING, 0);
        const a = next(d, 1);
        return { d, a, e: next(a, 2) };
      },
      phase1CipherKey(prf, skeyidE, keyBytes) {
        let key = skeyidE;
        let block: Uint8Array = Uint8Array.of(0);
        if (keyBytes > skeyidE.length)
          for (key = NOTHING; key.length < keyBytes; key = concat(key, block))
            block = nodePrf(prf.name, skeyidE, block);
        return key.slice(0, keyBytes);
      },
      deriveKeymat(prf, skeyidD, { secret, protocol, spi, ni, nr }, lengthBytes) {
        let keymat: Uint8Array = NOTHING;
        let block: Uint8Array = NOTHING;
        for (; keymat.length < lengthBytes; keymat = concat(keymat, block))
          block = nodePrf(prf.name, skeyidD, block, secret ?? NOTHING, Uint8Array.of(protocol), spi, ni, nr);
        return keymat.slice(0, lengthBytes);
      },
    },
    aeadSeal: nodeSeal,
    aeadOpen: nodeOpen,
    encrypt: nodeEncrypt,
    decrypt: nodeDecrypt,
  };
}

function digestOf(name: string, ...data: readonly Uint8Array[]): Uint8Array {
  return digest(name, data);
}

function digest(name: string, data: readonly Uint8Array[]): Uint8Array {
  const hash = createHash(name);
  for (const part of data) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** A key exchange by OpenSSL. The private value is the seed itself, and so is what `initiate` returns as `privateValue`. */
export function nodeKeyExchange(job: KeyExchangeJob): KeyExchangeOutcome {
  const { method } = job;
  const seed = job.op === 'finish' ? job.privateValue : job.seed;
  if (seed.length !== method.seedBytes)
    throw new RangeError(`${method.name} wants ${method.seedBytes} bytes of seed`);
  const own = keyPair(method, seed);
  const publicValue = job.op === 'finish' ? NOTHING : own.publicValue();
  if (job.op === 'initiate') return ok({ publicValue, privateValue: seed.slice(), secret: NOTHING });
  const secret = own.agree(job.peerPublic);
  if (secret === undefined)
    return fail('invalid-public-value', `the peer's ${method.name} public value is not usable`);
  return ok({ publicValue, privateValue: NOTHING, secret });
}

interface KeyPair {
  publicValue(): Uint8Array;
  /** Undefined where the peer's value is refused. */
  agree(peerPublic: Uint8Array): Uint8Array | undefined;
}

function keyPair(method: KeyExchangeAlgorithm, seed: Uint8Array): KeyPair {
  switch (method.name) {
    case 'modp2048':
      return modpPair(method, seed);
    case 'ecp256':
      return p256Pair(method, seed);
    case 'curve25519':
      return x25519Pair(method, seed);
    default:
      if (method.group !== undefined) return privatePair(method.group, seed);
      throw new RangeError(`no key exchange ${method.name} in node:crypto`);
  }
}

/** By the textbook, so that two of a kind do not agree on the same mistake. */
function privatePair({ prime, generator }: PrivateGroup, seed: Uint8Array): KeyPair {
  const [p, x] = [toNumber(prime), toNumber(seed)];
  const raise = (base: bigint): Uint8Array => {
    let [power, square, left] = [1n, base % p, x];
    for (; left > 0n; left >>= 1n) {
      if ((left & 1n) === 1n) power = (power * square) % p;
      square = (square * square) % p;
    }
    return fromHex(power.toString(16).padStart(prime.length * 2, '0'));
  };
  return {
    publicValue: () => raise(BigInt(generator)),
    agree(peerPublic) {
      const y = toNumber(peerPublic);
      return peerPublic.length === prime.length && y > 1n && y < p - 1n ? raise(y) : undefined;
    },
  };
}

const MODP_PRIME = new Uint8Array(createDiffieHellmanGroup('modp14').getPrime());
const MODP_PRIME_NUMBER = toNumber(MODP_PRIME);
/** Made once: OpenSSL tests the prime each time, which takes longer than the exchange. */
let modp: DiffieHellman | undefined;

function modpPair(method: KeyExchangeAlgorithm, seed: Uint8Array): KeyPair {
  modp ??= createDiffieHellman(MODP_PRIME, Buffer.from([2]));
  const dh = modp;
  dh.setPrivateKey(seed);
  return {
    publicValue: () => padLeft(dh.generateKeys(), method.initiatorPublicBytes),
    agree(peerPublic) {
      if (peerPublic.length !== method.initiatorPublicBytes) return undefined;
      const peer = toNumber(peerPublic);
      if (peer <= 1n || peer >= MODP_PRIME_NUMBER - 1n) return undefined;
      return padLeft(dh.computeSecret(peerPublic), method.sharedBytes);
    },
  };
}

function p256Pair(method: KeyExchangeAlgorithm, seed: Uint8Array): KeyPair {
  const ecdh = p256FromSeed(seed);
  return {
    publicValue: () => new Uint8Array(ecdh.getPublicKey()).slice(1),
    agree(peerPublic) {
      if (peerPublic.length !== method.initiatorPublicBytes) return undefined;
      try {
        return padLeft(ecdh.computeSecret(concat(Uint8Array.of(4), peerPublic)), method.sharedBytes);
      } catch {
        return undefined;
      }
    },
  };
}

/** One seed in 2^32 is no private key of P-256; its hash is taken then. */
function p256FromSeed(seed: Uint8Array): ECDH {
  const ecdh = createECDH('prime256v1');
  let candidate = seed;
  for (let tries = 0; tries < 8; tries++) {
    try {
      ecdh.setPrivateKey(candidate);
      return ecdh;
    } catch {
      candidate = new Uint8Array(createHash('sha256').update(candidate).digest());
    }
  }
  throw new RangeError('no private key of P-256 comes from this seed');
}

function x25519Pair(method: KeyExchangeAlgorithm, seed: Uint8Array): KeyPair {
  const privateKey = der(X25519_PRIVATE, seed, 'pkcs8');
  return {
    publicValue() {
      const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
      return new Uint8Array(spki).slice(X25519_PUBLIC.length);
    },
    agree(peerPublic) {
      if (peerPublic.length !== method.initiatorPublicBytes) return undefined;
      try {
        return new Uint8Array(
          diffieHellman({ privateKey, publicKey: der(X25519_PUBLIC, peerPublic, 'spki') }),
        );
      } catch {
        // OpenSSL refuses the points of small order itself.
        return undefined;
      }
    },
  };
}

function der(header: Uint8Array, key: Uint8Array, type: 'pkcs8' | 'spki'): KeyObject {
  const bytes = Buffer.from(concat(header, key));
  return type === 'pkcs8'
    ? createPrivateKey({ key: bytes, format: 'der', type })
    : createPublicKey({ key: bytes, format: 'der', type });
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function padLeft(bytes: Uint8Array, lengthBytes: number): Uint8Array {
  const out = new Uint8Array(lengthBytes);
  out.set(bytes, lengthBytes - bytes.length);
  return out;
}
