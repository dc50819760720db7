// A Runtime for unit tests: time that the test moves, bytes from a counter, everything that is sent kept.

import { decryptNow, verifyPeerNow } from '../../lib/auth/peer.ts';
import type { Datagram, Runtime } from '../../lib/ike/runtime.ts';
import { MemoryDataPlane } from '../../lib/ipsec/memory.ts';
import { Random } from '../fuzz/mutate.ts';
import { nodeCrypto, nodeKeyExchange } from '../lib/node-crypto.ts';
import { VirtualClock } from '../simulation/clock.ts';
import { signNow, WALL_CLOCK_MS } from '../simulation/signing.ts';

export interface TestRuntime extends Runtime {
  readonly clock: VirtualClock;
  readonly sent: Datagram[];
  /** Lets time pass. */
  pass(ms: number): void;
}

export function testRuntime(seed = 1): TestRuntime {
  const clock = new VirtualClock();
  const generator = new Random(seed);
  const random = (length: number): Uint8Array => generator.bytes(length);
  const sent: Datagram[] = [];
  return {
    clock,
    sent,
    pass(ms) {
      const until = clock.nowMs + ms;
      while (clock.step(until));
      clock.nowMs = until;
    },
    nowMs: () => clock.nowMs,
    setTimer: (delayMs, fire) => clock.after(delayMs, fire),
    random,
    send: (datagram) => sent.push(datagram),
    localAddressFor: (_remote, done) => clock.after(1, () => done({ ok: true, value: '192.0.2.1' })),
    crypto: nodeCrypto(),
    keyExchange: (job, done) => clock.after(1, () => done(nodeKeyExchange(job))),
    wallClockMs: () => WALL_CLOCK_MS + clock.nowMs,
    sign: (job, done) => clock.after(1, () => done(signNow(job))),
    decrypt: (job, done) => clock.after(1, () => done(decryptNow(job))),
    verifyPeer: (job, done) => clock.after(1, () => done(verifyPeerNow(job))),
    checkUser: (check, username, password, done) => {
      check(username, password).then(done, () => done(false));
    },
    dataPlane: new MemoryDataPlane(random),
    emit() {},
    log: { debug() {}, info() {}, warn() {}, error() {} },
    keyLog: false,
  };
}
