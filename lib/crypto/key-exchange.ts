// Key exchange in the calling thread: `runKeyExchange()`. A seed becomes a private value, WASM multiplies or exponentiates, and a
// peer's value that is none of the group becomes an error value. The pool's workers run the same function.

import { fail, ok, type Result } from '../errors.ts';
import { algorithm, type KeyExchangeAlgorithm } from './algorithms.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from './provider.ts';
import { createCrypto } from './symmetric.ts';
import { take, type Wasm, wasm } from './wasm.ts';

/** One method's way into WASM. Both calls read SCALAR and leave their result at RESULT. */
interface Method {
  /** A private value from a seed; the seed is not changed. */
  prepare(seed: Uint8Array): Uint8Array;
  /** `prepare` made the private value, so it is one of the group. */
  makePublic(w: Wasm): void;
  makeSecret(w: Wasm): 'made' | 'invalid peer' | 'invalid private value';
}

const METHODS: Readonly<Record<string, Method>> = {
  curve25519: {
    prepare: (seed) => new Uint8Array(seed),
    makePublic: (w) => w.call.x25519Public(),
    makeSecret: (w) => (w.call.x25519Secret() === 1 ? 'made' : 'invalid peer'),
  },
  ecp256: {
    prepare: prepareP256,
    makePublic: (w) => w.call.p256Public(),
    makeSecret(w) {
      const outcome = w.call.p256Secret();
      return outcome === 1 ? 'made' : outcome === 0 ? 'invalid peer' : 'invalid private value';
    },
  },
  modp2048: {
    /** The highest bit is set, so that no seed makes a small exponent. */
    prepare(seed) {
      const exponent = new Uint8Array(seed);
      exponent[0] |= 0x80;
      return exponent;
    },
    makePublic: (w) => w.call.modp2048Public(),
    makeSecret: (w) => (w.call.modp2048Secret() === 1 ? 'made' : 'invalid peer'),
  },
};

/** How many times an unfit P-256 seed is hashed; each try fails once in 2^32. */
const P256_TRIES = 8;

/**
 * Runs `job` here and now: 0.1 ms (curve25519) to 3 ms (modp2048). A wrong length of a seed or private value is a RangeError, for
 * the program makes those; whatever is wrong with the peer's value is an outcome.
 */
export function runKeyExchange(job: KeyExchangeJob): KeyExchangeOutcome {
  checkJob(job);
  const w = wasm();
  const method = methodOf(job.method);
  const privateValue = job.op === 'finish' ? new Uint8Array(job.privateValue) : method.prepare(job.seed);
  const nothing = () => new Uint8Array(0);
  if (job.op === 'initiate')
    return ok({
      publicValue: makePublic(w, method, privateValue, publicBytes(job)),
      privateValue,
      secret: nothing(),
    });
  try {
    const secret = sharedSecret(w, method, job, privateValue);
    if (!secret.ok) return secret;
    const publicValue =
      job.op === 'respond' ? makePublic(w, method, privateValue, publicBytes(job)) : nothing();
    return ok({ publicValue, privateValue: nothing(), secret: secret.value });
  } finally {
    privateValue.fill(0);
  }
}

/** Throws a RangeError for a job that no peer could have caused. */
export function checkJob(job: KeyExchangeJob): void {
  const { method } = job;
  methodOf(method);
  const [what, bytes] =
    job.op === 'finish' ? (['private value', job.privateValue] as const) : (['seed', job.seed] as const);
  if (bytes.length !== method.seedBytes)
    throw new RangeError(`${what} of ${method.name}: ${method.seedBytes} bytes, not ${bytes.length}`);
}

function methodOf({ name }: KeyExchangeAlgorithm): Method {
  const found = METHODS[name];
  if (found === undefined) throw new RangeError(`no key exchange method ${name}`);
  return found;
}

function peerPublicBytes({ op, method }: KeyExchangeJob): number {
  return op === 'respond' ? method.initiatorPublicBytes : method.responderPublicBytes;
}

function publicBytes({ op, method }: KeyExchangeJob): number {
  return op === 'respond' ? method.responderPublicBytes : method.initiatorPublicBytes;
}

/** The secret, or why the peer's value is refused. */
function sharedSecret(
  w: Wasm,
  method: Method,
  job: KeyExchangeJob & { readonly peerPublic: Uint8Array },
  privateValue: Uint8Array,
): Result<Uint8Array, { readonly code: 'invalid-public-value'; readonly message: string }> {
  const { name, sharedBytes } = job.method;
  const { peerPublic } = job;
  const expected = peerPublicBytes(job);
  const refuse = (reason: string) =>
    fail('invalid-public-value', `the peer's public value for ${name} ${reason}`);
  if (peerPublic.length !== expected)
    return refuse(`has ${peerPublic.length} bytes where ${expected} are expected`);
  w.bytes.set(privateValue, w.at.SCALAR);
  w.bytes.set(peerPublic, w.at.PEER);
  const outcome = method.makeSecret(w);
  // ECP leaves y behind x; neither stays.
  const whole = take(w, w.at.RESULT, Math.max(sharedBytes, peerPublic.length));
  const secret = whole.slice(0, sharedBytes);
  whole.fill(0);
  if (outcome === 'invalid private value')
    throw new RangeError(`private value of ${name} is not in the group`);
  return outcome === 'made' ? ok(secret) : refuse('is no usable element of the group');
}

function makePublic(w: Wasm, method: Method, privateValue: Uint8Array, length: number): Uint8Array {
  w.bytes.set(privateValue, w.at.SCALAR);
  method.makePublic(w);
  return take(w, w.at.RESULT, length);
}

/**
 * The seed itself when it lies between 1 and the order, as all but one of 2^32 do; else its hash, and so on: every scalar
 * is as likely as every other, which a reduction would not give.
 */
function prepareP256(seed: Uint8Array): Uint8Array {
  const w = wasm();
  let scalar = new Uint8Array(seed);
  for (let tries = 0; tries < P256_TRIES; tries++) {
    w.bytes.set(scalar, w.at.SCALAR);
    if (w.call.p256Fits() === 1) return scalar;
    const next = createCrypto().prf(algorithm('prf', 'prfsha256'), scalar, new Uint8Array([tries]));
    scalar.fill(0);
    scalar = new Uint8Array(next);
    next.fill(0);
  }
  throw new RangeError('no private value of ecp256 comes from this seed');
}
