// Cookies against floods (RFC 7296 §2.6): a responder under load answers a first request with a value that it can check
// later without having kept anything: version | HMAC(secret, Ni | address | SPIi).

import { concat, equalConstantTime, uint32, uint64 } from '../bytes.ts';
import { algorithm } from '../crypto/algorithms.ts';
import { parseAddress } from '../net/address.ts';
import type { Runtime } from './runtime.ts';

const PRF = algorithm('prf', 'prfsha256');
/** A secret makes cookies for this long and accepts them for as long again. */
const SECRET_LIFE_MS = 60_000;

/** What a cookie is bound to. */
export interface CookieSubject {
  readonly nonce: Uint8Array;
  readonly address: string;
  readonly spiI: bigint;
}

/** The responder's cookies: a secret that changes, and the one before it. */
export class CookieJar {
  readonly #runtime: Runtime;
  #version = 0;
  #madeAtMs: number;
  #secret: Uint8Array;
  #previous: Uint8Array | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#madeAtMs = runtime.nowMs();
    this.#secret = runtime.random(32);
  }

  /** The cookie for a request: 36 bytes. */
  bake(subject: CookieSubject): Uint8Array {
    this.#rotate();
    return this.#compute(this.#version, this.#secret, subject);
  }

  /** Whether `cookie` is one that {@link bake} made for this subject not long ago. */
  check(cookie: Uint8Array, subject: CookieSubject): boolean {
    this.#rotate();
    if (equalConstantTime(cookie, this.#compute(this.#version, this.#secret, subject))) return true;
    return (
      this.#previous !== undefined &&
      equalConstantTime(cookie, this.#compute(this.#version - 1, this.#previous, subject))
    );
  }

  #rotate(): void {
    const age = this.#runtime.nowMs() - this.#madeAtMs;
    if (age < SECRET_LIFE_MS) return;
    this.#previous = age < 2 * SECRET_LIFE_MS ? this.#secret : undefined;
    this.#secret = this.#runtime.random(32);
    this.#version++;
    this.#madeAtMs = this.#runtime.nowMs();
  }

  #compute(version: number, secret: Uint8Array, { nonce, address, spiI }: CookieSubject): Uint8Array {
    const bytes = parseAddress(address) ?? new Uint8Array(0);
    return concat(uint32(version), this.#runtime.crypto.prf(PRF, secret, nonce, bytes, uint64(spiI)));
  }
}
