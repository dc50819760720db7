// Key exchange in the calling thread: `runKeyExchange()`. A seed becomes a private value, a method makes of it what it sends and what
// both share, and a peer's value that is none of the group becomes an error value. The pool's workers run the same function.

import { fail, ok } from '../errors.ts';
import type { KeyExchangeAlgorithm } from './algorithms.ts';
import { DIFFIE_HELLMAN } from './diffie-hellman.ts';
import { KEM } from './kem.ts';
import { MODP } from './modp.ts';
import { privateGroupMethod } from './private-group.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from './provider.ts';
import type { ModuleName } from './wasm.ts';

/**
 * One method. The arrays that it is given have the lengths of the algorithm table; it changes none of them and leaves nothing
 * secret in WASM memory. Undefined: the peer's value is no usable element of the group.
 */
export interface KeyExchangeMethod {
  /** A private value from a seed, of the seed's length. */
  prepare(seed: Uint8Array): Uint8Array;
  /** The initiator's public value. */
  initiate(privateValue: Uint8Array): Uint8Array;
  respond(
    privateValue: Uint8Array,
    peerPublic: Uint8Array,
  ): { readonly publicValue: Uint8Array; readonly secret: Uint8Array } | undefined;
  /** The secret that the initiator gets from the responder's public value. */
  finish(privateValue: Uint8Array, peerPublic: Uint8Array): Uint8Array | undefined;
}

const METHODS: Readonly<Record<string, KeyExchangeMethod>> = { ...DIFFIE_HELLMAN, ...KEM, ...MODP };

/** What a thread that runs key exchanges needs. */
export const KEY_EXCHANGE_MODULES: readonly ModuleName[] = ['curve', 'kem', 'modp', 'symmetric'];

/**
 * Runs `job` here and now: 0.1 ms (curve25519) to 20 ms (modp8192). A wrong length of a seed or private value is a RangeError, for
 * the program makes those; whatever is wrong with the peer's value is an outcome.
 */
export function runKeyExchange(job: KeyExchangeJob): KeyExchangeOutcome {
  checkJob(job);
  const method = methodOf(job.method);
  // A new one each time: a worker moves them, and none can be moved twice.
  const nothing = (): Uint8Array => new Uint8Array(0);
  if (job.op === 'initiate') {
    const privateValue = method.prepare(job.seed);
    return ok({ publicValue: method.initiate(privateValue), privateValue, secret: nothing() });
  }
  const { peerPublic } = job;
  const refuse = (reason: string): KeyExchangeOutcome =>
    fail('invalid-public-value', `the peer's public value for ${job.method.name} ${reason}`);
  const expected = job.op === 'respond' ? job.method.initiatorPublicBytes : job.method.responderPublicBytes;
  if (peerPublic.length !== expected)
    return refuse(`has ${peerPublic.length} bytes where ${expected} are expected`);
  const unusable = 'is no usable element of the group';
  if (job.op === 'finish') {
    const secret = method.finish(job.privateValue, peerPublic);
    return secret === undefined
      ? refuse(unusable)
      : ok({ publicValue: nothing(), privateValue: nothing(), secret });
  }
  const privateValue = method.prepare(job.seed);
  try {
    const share = method.respond(privateValue, peerPublic);
    return share === undefined ? refuse(unusable) : ok({ ...share, privateValue: nothing() });
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

function methodOf({ name, group }: KeyExchangeAlgorithm): KeyExchangeMethod {
  if (group !== undefined) return privateGroupMethod(group);
  const found = METHODS[name];
  if (found === undefined) throw new RangeError(`no key exchange method ${name}`);
  return found;
}
