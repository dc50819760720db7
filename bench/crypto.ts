// `npm run bench:crypto [-- --json FILE]`: each WASM primitive beside node:crypto (OpenSSL) and other portable implementations doing the
// same, key set-up included, and one key exchange with each method: a fresh public value and the shared secret, as a responder needs them. Last the timing-leak check.

import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { concat } from '../lib/bytes.ts';
import { algorithm } from '../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../lib/crypto/key-exchange.ts';
import { kemContests } from './crypto/kem.ts';
import { modpContests } from './crypto/modp.ts';
import { symmetricContests } from './crypto/symmetric.ts';
import { timingRows } from './crypto/timing.ts';
import { type Contest, type Row, readOptions, report, versus } from './lib/harness.ts';

const PEER = 'node:crypto';
const argv = process.argv.slice(2);
readOptions(argv);

const rows: Row[] = [];
const contests = [...symmetricContests(), curve25519(), ecp256(), ...kemContests(), ...modpContests()];
for (const [index, contest] of contests.entries()) {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${index + 1}/${contests.length} ${contest.case}`.padEnd(60));
  rows.push(versus(contest));
}
rows.push(...timingRows());
if (process.stderr.isTTY) process.stderr.write(`\r${' '.repeat(60)}\r`);
report(rows, argv);

function respond(name: string, theirs: (peerPublic: Uint8Array) => unknown): Contest {
  const method = algorithm('ke', name);
  const [seed, peerSeed] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))];
  const peer = runKeyExchange({ op: 'initiate', method, seed: peerSeed });
  if (!peer.ok) throw new Error(peer.error.message);
  const { publicValue } = peer.value;
  return {
    bench: 'crypto',
    case: `${name} exchange`,
    ours: () => runKeyExchange({ op: 'respond', method, seed, peerPublic: publicValue }),
    peer: PEER,
    theirs: () => theirs(publicValue),
  };
}

function curve25519(): Contest {
  const prefix = Buffer.from('302a300506032b656e032100', 'hex');
  return respond('curve25519', (peerPublic) => {
    const { privateKey, publicKey } = generateKeyPairSync('x25519');
    const peer = createPublicKey({ key: Buffer.concat([prefix, peerPublic]), format: 'der', type: 'spki' });
    return [
      publicKey.export({ format: 'der', type: 'spki' }),
      diffieHellman({ privateKey, publicKey: peer }),
    ];
  });
}

function ecp256(): Contest {
  return respond('ecp256', (peerPublic) => {
    const own = createECDH('prime256v1');
    return [own.generateKeys(), own.computeSecret(concat(new Uint8Array([4]), peerPublic))];
  });
}
