// The curves beside node:crypto (OpenSSL), libsodium and @noble/curves: a secret from raw bytes to raw bytes, as an initiator needs it, and
// a responder's whole exchange, public value and secret. node:crypto's import of the peer's raw value is counted.

import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from 'node:crypto';
import { x448 } from '@noble/curves/ed448.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import sodium from 'libsodium-wrappers';
import { concat } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { Contest } from '../lib/harness.ts';

await sodium.ready;

/** node:crypto wants the raw keys of RFC 7748 in DER (RFC 8410). */
const DER = {
  x25519: { priv: '302e020100300506032b656e04220420', pub: '302a300506032b656e032100' },
  x448: { priv: '3046020100300506032b656f043a0438', pub: '3042300506032b656f033900' },
} as const;

/** Ours, OpenSSL's and @noble's. */
const CURVES = [
  ['ecp256', 'prime256v1', p256],
  ['ecp384', 'secp384r1', p384],
  ['ecp521', 'secp521r1', p521],
  ['ecp256bp', 'brainpoolP256r1', undefined],
  ['ecp512bp', 'brainpoolP512r1', undefined],
] as const;

export const curveContests = (): Contest[] => [
  ...montgomery('curve25519', 'x25519', {
    'libsodium-wrappers': (key, peer) => sodium.crypto_scalarmult(key, peer),
    '@noble/curves': (key, peer) => x25519.getSharedSecret(key, peer),
  }),
  ...montgomery('curve448', 'x448', { '@noble/curves': (key, peer) => x448.getSharedSecret(key, peer) }),
  ...CURVES.flatMap(([name, openssl, noble]) => prime(name, openssl, noble)),
];

type Secret = (privateValue: Uint8Array, peerPublic: Uint8Array) => unknown;

/** A method with what one side has, and what both operations of ours take. */
function given(name: string) {
  const method = algorithm('ke', name);
  const seed = new Uint8Array(randomBytes(method.seedBytes));
  const [own, peer] = [seed, new Uint8Array(randomBytes(method.seedBytes))].map((each) => {
    const outcome = runKeyExchange({ op: 'initiate', method, seed: each });
    if (!outcome.ok) throw new Error(outcome.error.message);
    return outcome.value;
  });
  const [privateValue, peerPublic] = [own.privateValue, peer.publicValue];
  return {
    privateValue,
    peerPublic,
    secret: {
      bench: 'crypto',
      case: `${name} secret`,
      ours: () => runKeyExchange({ op: 'finish', method, privateValue, peerPublic }),
    },
    exchange: {
      bench: 'crypto',
      case: `${name} exchange`,
      ours: () => runKeyExchange({ op: 'respond', method, seed, peerPublic }),
    },
  };
}

function montgomery(
  name: string,
  openssl: keyof typeof DER,
  rivals: Readonly<Record<string, Secret>>,
): Contest[] {
  const { privateValue, peerPublic, secret, exchange } = given(name);
  const [privatePrefix, publicPrefix] = [DER[openssl].priv, DER[openssl].pub].map((hex) =>
    Buffer.from(hex, 'hex'),
  );
  const privateKey = createPrivateKey({
    key: Buffer.concat([privatePrefix, privateValue]),
    format: 'der',
    type: 'pkcs8',
  });
  const imported = () =>
    createPublicKey({ key: Buffer.concat([publicPrefix, peerPublic]), format: 'der', type: 'spki' });
  return [
    {
      ...secret,
      peer: 'node:crypto',
      theirs: () => diffieHellman({ privateKey, publicKey: imported() }),
    },
    ...Object.entries(rivals).map(([peer, theirs]) => ({
      ...secret,
      peer,
      theirs: () => theirs(privateValue, peerPublic),
    })),
    {
      ...exchange,
      peer: 'node:crypto',
      theirs() {
        const pair = openssl === 'x448' ? generateKeyPairSync('x448') : generateKeyPairSync('x25519');
        return [
          pair.publicKey.export({ format: 'der', type: 'spki' }),
          diffieHellman({ privateKey: pair.privateKey, publicKey: imported() }),
        ];
      },
    },
  ];
}

function prime(name: string, openssl: string, noble: typeof p256 | undefined): Contest[] {
  const { privateValue, peerPublic, secret, exchange } = given(name);
  const point = concat(new Uint8Array([4]), peerPublic);
  const own = createECDH(openssl);
  own.setPrivateKey(privateValue);
  const openSsl = { ...secret, peer: 'node:crypto', theirs: () => own.computeSecret(point) };
  const whole: Contest = {
    ...exchange,
    peer: 'node:crypto',
    theirs() {
      const fresh = createECDH(openssl);
      return [fresh.generateKeys(), fresh.computeSecret(point)];
    },
  };
  if (noble === undefined) return [openSsl, whole];
  return [
    openSsl,
    { ...secret, peer: '@noble/curves', theirs: () => noble.getSharedSecret(privateValue, point) },
    whole,
    {
      ...exchange,
      peer: '@noble/curves',
      theirs() {
        const key = noble.utils.randomSecretKey();
        return [noble.getPublicKey(key, false), noble.getSharedSecret(key, point)];
      },
    },
  ];
}
