// The Runtime of a real gateway: Node's clock, timers, randomness and sockets behind the interface that lib/ike takes.
// Whatever goes wrong in a handler is logged as a bug of ours and ends there: nothing of it reaches the event loop.

import { randomFillSync } from 'node:crypto';
import {
  type DecryptJob,
  type DecryptOutcome,
  decryptNow,
  type SignJob,
  type SignOutcome,
  type VerifyJob,
  type VerifyOutcome,
  verifyPeer,
} from './auth/peer.ts';
import type { XauthCheck } from './config/types.ts';
import type { Crypto, KeyExchangeJob, KeyExchangeOutcome } from './crypto/provider.ts';
import type { Result } from './errors.ts';
import { fail, ok } from './errors.ts';
import type { IkeEvent } from './ike/events.ts';
import type { Datagram, Log, Runtime, Timer } from './ike/runtime.ts';
import type { DataPlane } from './ipsec/data-plane.ts';
import type { Endpoint } from './net/address.ts';
import type { Transport } from './net/transport.ts';

/** Node's timers take 31 bits of milliseconds and fire at once beyond. */
const LONGEST_TIMER_MS = 0x7fffffff;

/** A KMS may be slow; the peer waits for the whole of its retransmissions, about a minute. */
const SIGN_LIMIT_MS = 20_000;
/** What stands behind the program's check of users may be slow, too. */
const CHECK_LIMIT_MS = 20_000;

/** What a {@link NodeRuntime} is made of. */
export interface RuntimeParts {
  readonly crypto: Crypto;
  readonly keyExchange: (job: KeyExchangeJob, done: (outcome: KeyExchangeOutcome) => void) => void;
  readonly dataPlane: DataPlane;
  readonly transport: Transport;
  readonly log: Log;
  readonly keyLog: boolean;
  readonly emit: (event: IkeEvent) => void;
}

export class NodeRuntime implements Runtime {
  readonly crypto: Crypto;
  readonly dataPlane: DataPlane;
  readonly log: Log;
  readonly keyLog: boolean;
  readonly #parts: RuntimeParts;
  readonly #timers = new Set<LongTimer>();
  #over = false;

  constructor(parts: RuntimeParts) {
    this.#parts = parts;
    this.crypto = parts.crypto;
    this.dataPlane = parts.dataPlane;
    this.log = parts.log;
    this.keyLog = parts.keyLog;
  }

  nowMs(): number {
    return nowMs();
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = new LongTimer(delayMs, () => {
      this.#timers.delete(timer);
      this.guard('timer', fire);
    });
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.cancel();
      },
    };
  }

  random(lengthBytes: number): Uint8Array {
    return random(lengthBytes);
  }

  send(datagram: Datagram): void {
    this.#parts.transport.send(datagram);
  }

  localAddressFor(remote: Endpoint, done: (address: Result<string>) => void): void {
    const tell = (address: Result<string>): void => this.guard('local-address', () => done(address));
    this.#parts.transport.localAddressFor(remote).then(
      (address) => tell(ok(address)),
      (error: unknown) => tell(fail('no-route', error instanceof Error ? error.message : String(error))),
    );
  }

  keyExchange(job: KeyExchangeJob, done: (outcome: KeyExchangeOutcome) => void): void {
    this.#parts.keyExchange(job, (outcome) => this.guard('key-exchange', () => done(outcome)));
  }

  wallClockMs(): number {
    return Date.now();
  }

  sign({ key, scheme, data }: SignJob, done: (outcome: SignOutcome) => void): void {
    let over = false;
    const end = (outcome: SignOutcome): void => {
      if (over) return;
      over = true;
      timer.cancel();
      this.guard('sign', () => done(outcome));
    };
    const timer = this.setTimer(SIGN_LIMIT_MS, () =>
      end(fail('signing', `no signature came within ${SIGN_LIMIT_MS / 1000} s`)),
    );
    // Begun in a turn of its own: a callback of the program runs in it, and may throw at once.
    setImmediate(() => {
      if (this.#over) return;
      Promise.resolve()
        .then(() => key.sign(scheme, data))
        .then(
          (signature) => end(ok(signature)),
          (error: unknown) => end(fail('signing', error instanceof Error ? error.message : String(error))),
        );
    });
  }

  decrypt(job: DecryptJob, done: (outcome: DecryptOutcome) => void): void {
    setImmediate(() => {
      if (!this.#over) this.guard('decrypt', () => done(decryptNow(job)));
    });
  }

  checkUser(check: XauthCheck, username: string, password: string, done: (passed: boolean) => void): void {
    let over = false;
    const end = (passed: boolean): void => {
      if (over) return;
      over = true;
      timer.cancel();
      this.guard('check-user', () => done(passed));
    };
    const timer = this.setTimer(CHECK_LIMIT_MS, () => {
      this.log.error('xauth-check', { reason: `no answer came within ${CHECK_LIMIT_MS / 1000} s` });
      end(false);
    });
    // Begun in a turn of its own: a callback of the program runs in it, and may throw at once.
    setImmediate(() => {
      if (this.#over) return;
      Promise.resolve()
        .then(() => check(username, password))
        .then(
          (passed) => end(passed === true),
          (error: unknown) => {
            // Its words may hold the password.
            this.log.error('xauth-check', { reason: error instanceof Error ? error.name : typeof error });
            end(false);
          },
        );
    });
  }

  verifyPeer(job: VerifyJob, done: (outcome: VerifyOutcome) => void): void {
    setImmediate(() => {
      if (this.#over) return;
      verifyPeer(job).then(
        (outcome) => this.guard('verify-peer', () => done(outcome)),
        (error: unknown) => {
          this.log.error('internal-error', { what: 'verify-peer', error });
          const refused = {
            code: 'unavailable',
            message: 'the certificates could not be checked',
            advice: 'see the log',
          } as const;
          this.guard('verify-peer', () => done({ ok: false, error: refused }));
        },
      );
    });
  }

  emit(event: IkeEvent): void {
    this.#parts.emit(event);
  }

  /** Runs a handler of the negotiation. After {@link end} nothing runs any more. */
  guard(what: string, handler: () => void): void {
    if (this.#over) return;
    try {
      handler();
    } catch (error) {
      this.log.error('internal-error', {
        what,
        error,
        stack: error instanceof Error ? error.stack : undefined,
      });
    }
  }

  /** Cancels every timer: the negotiation is over. */
  end(): void {
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}

/** Milliseconds since some moment, never going back. */
export function nowMs(): number {
  return performance.now();
}

/** Drawn at once, for a call of the generator costs as much as a hash does. What has been handed out is wiped here. */
const pool = new Uint8Array(4096);
let used = pool.length;

/** Unpredictable bytes from Node's cryptographic generator, in memory of their own. */
export function random(lengthBytes: number): Uint8Array {
  // Not a Buffer: a small one would be a view into Node's pool, and a copy of it would never be wiped.
  if (lengthBytes > pool.length / 8) return randomFillSync(new Uint8Array(lengthBytes));
  if (used + lengthBytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = pool.slice(used, used + lengthBytes);
  pool.fill(0, used, used + lengthBytes);
  used += lengthBytes;
  return bytes;
}

/** A timer that may be longer than Node's: it is armed again until its time has come. */
class LongTimer {
  readonly #dueMs: number;
  readonly #fire: () => void;
  #handle: NodeJS.Timeout | undefined;

  constructor(delayMs: number, fire: () => void) {
    this.#dueMs = nowMs() + delayMs;
    this.#fire = fire;
    this.#arm();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  #arm(): void {
    const leftMs = this.#dueMs - nowMs();
    if (leftMs > LONGEST_TIMER_MS) this.#handle = setTimeout(() => this.#arm(), LONGEST_TIMER_MS);
    else this.#handle = setTimeout(this.#fire, Math.max(0, leftMs));
  }
}
