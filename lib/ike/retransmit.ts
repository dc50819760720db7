// Retransmission with exponential back-off (RFC 7296 §2.1, §2.4): the very same bytes again, until answered or given up.

import type { Config } from '../config/types.ts';
import type { Runtime, Timer } from './runtime.ts';

/** One request in flight. */
export class Retransmitter {
  readonly #runtime: Runtime;
  readonly #policy: Config['retransmit'];
  readonly #resend: () => void;
  readonly #giveUp: () => void;
  #timer: Timer | undefined;
  #sent = 0;

  /** `resend` sends the same bytes again; `giveUp` is called once when the last wait is over. */
  constructor(runtime: Runtime, policy: Config['retransmit'], resend: () => void, giveUp: () => void) {
    this.#runtime = runtime;
    this.#policy = policy;
    this.#resend = resend;
    this.#giveUp = giveUp;
    this.#arm();
  }

  /** Ends it: an answer came, or the SA is gone. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const { timeoutMs, base, jitter } = this.#policy;
    const wait = timeoutMs * base ** this.#sent;
    this.#timer = this.#runtime.setTimer(wait - wait * jitter * randomShare(this.#runtime), () =>
      this.#fire(),
    );
  }

  #fire(): void {
    if (this.#sent >= this.#policy.tries) {
      this.#timer = undefined;
      this.#giveUp();
      return;
    }
    this.#sent++;
    this.#arm();
    this.#resend();
  }
}

/** How long a request is sent again at most until its sender gives up. */
export function patienceMs({ timeoutMs, base, tries }: Config['retransmit']): number {
  let sum = 0;
  for (let sent = 0; sent <= tries; sent++) sum += timeoutMs * base ** sent;
  return sum;
}

/** A random number from 0 to 1 out of the runtime's generator. */
export function randomShare(runtime: Runtime): number {
  const bytes = runtime.random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
