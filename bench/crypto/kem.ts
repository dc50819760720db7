// ML-KEM beside @noble/post-quantum and libsodium, which has 768 alone; node:crypto has none in Node 20. All of them work from given
// seeds. Ours decapsulates from the seed of 64 bytes and so makes its keys anew; theirs have the keys at hand, 2,400 bytes.

import { randomBytes } from 'node:crypto';
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import sodium from 'libsodium-wrappers';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import type { Contest } from '../lib/harness.ts';

const NOBLE = { mlkem512: ml_kem512, mlkem768: ml_kem768, mlkem1024: ml_kem1024 } as const;

await sodium.ready;

/** Keys, encapsulation and decapsulation: of 768 beside both rivals, of the others beside the one that has them. */
export const kemContests = (): Contest[] => [
  ...besideNoble('mlkem512'),
  ...besideNoble('mlkem768'),
  ...besideSodium(),
  ...besideNoble('mlkem1024'),
];

/** What one side does each time, from the same seeds. */
function ours(name: keyof typeof NOBLE) {
  const method = algorithm('ke', name);
  const seed = new Uint8Array(randomBytes(method.seedBytes));
  const peerSeed = new Uint8Array(randomBytes(method.seedBytes));
  const { publicKey, secretKey } = NOBLE[name].keygen(seed);
  const m = peerSeed.slice(0, 32);
  const { cipherText } = NOBLE[name].encapsulate(publicKey, m);
  return {
    seed,
    m,
    publicKey,
    secretKey,
    cipherText,
    keys: () => runKeyExchange({ op: 'initiate', method, seed }),
    encapsulate: () => runKeyExchange({ op: 'respond', method, seed: peerSeed, peerPublic: publicKey }),
    decapsulate: () => runKeyExchange({ op: 'finish', method, privateValue: seed, peerPublic: cipherText }),
  };
}

function besideNoble(name: keyof typeof NOBLE): Contest[] {
  const noble = NOBLE[name];
  const { seed, m, publicKey, secretKey, cipherText, keys, encapsulate, decapsulate } = ours(name);
  const row = { bench: 'crypto', peer: '@noble/post-quantum' } as const;
  return [
    { ...row, case: `${name} keys`, ours: keys, theirs: () => noble.keygen(seed) },
    {
      ...row,
      case: `${name} encapsulate`,
      ours: encapsulate,
      theirs: () => noble.encapsulate(publicKey, m),
    },
    {
      ...row,
      case: `${name} decapsulate`,
      ours: decapsulate,
      theirs: () => noble.decapsulate(cipherText, secretKey),
    },
  ];
}

function besideSodium(): Contest[] {
  const { seed, m, publicKey, secretKey, cipherText, keys, encapsulate, decapsulate } = ours('mlkem768');
  const row = { bench: 'crypto', peer: 'libsodium-wrappers' } as const;
  return [
    {
      ...row,
      case: 'mlkem768 keys',
      ours: keys,
      theirs: () => sodium.crypto_kem_mlkem768_seed_keypair(seed),
    },
    {
      ...row,
      case: 'mlkem768 encapsulate',
      ours: encapsulate,
      theirs: () => sodium.crypto_kem_mlkem768_enc_deterministic(publicKey, m),
    },
    {
      ...row,
      case: 'mlkem768 decapsulate',
      ours: decapsulate,
      theirs: () => sodium.crypto_kem_mlkem768_dec(cipherText, secretKey),
    },
  ];
}
