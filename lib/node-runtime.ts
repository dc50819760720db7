// The Runtime of a real gateway: Node's clock, timers, randomness and sockets behind the interface that lib/ike takes.
// Whatever goes wrong in a handler is logged as a bug of ours and ends there: nothing of it reaches the event loop.

import { randomFillSync } from 'node:crypto';
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
