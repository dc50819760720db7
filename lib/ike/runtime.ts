// The negotiation's only door to the outside world. Everything under lib/ike takes time, randomness, network, slow work
// and the data plane from here, so that the simulation can supply them from a seed and a virtual clock.

import type {
  DecryptJob,
  DecryptOutcome,
  SignJob,
  SignOutcome,
  VerifyJob,
  VerifyOutcome,
} from '../auth/peer.ts';
import type { XauthCheck } from '../config/types.ts';
import type { Crypto, KeyExchangeJob, KeyExchangeOutcome } from '../crypto/provider.ts';
import type { Result } from '../errors.ts';
import type { DataPlane } from '../ipsec/data-plane.ts';
import type { Endpoint } from '../net/address.ts';
import type { IkeEvent } from './events.ts';

export interface Runtime {
  /** Milliseconds on a clock that never goes back. */
  nowMs(): number;
  /** Milliseconds since 1970, for the dates of certificates alone: this clock may jump. */
  wallClockMs(): number;
  /** Calls `fire` once after `delayMs`. */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** Unpredictable bytes, for nonces, SPIs, IVs and private values. */
  random(lengthBytes: number): Uint8Array;
  send(datagram: Datagram): void;
  /** Finds the local address that packets to `remote` leave from; `done` comes later, never before this call returned. */
  localAddressFor(remote: Endpoint, done: (address: Result<string>) => void): void;
  readonly crypto: Crypto;
  /** Starts slow work; `done` comes later as an event of its own, never before this call returned. */
  keyExchange(job: KeyExchangeJob, done: (outcome: KeyExchangeOutcome) => void): void;
  /** Signs, perhaps far away; `done` as with `keyExchange`. It is called, however long the signer takes: after a time with an error. */
  sign(job: SignJob, done: (outcome: SignOutcome) => void): void;
  /** Decrypts with a private key; `done` as with `keyExchange`. */
  decrypt(job: DecryptJob, done: (outcome: DecryptOutcome) => void): void;
  /** Checks a peer's certificates and signature; `done` as with `keyExchange`. */
  verifyPeer(job: VerifyJob, done: (outcome: VerifyOutcome) => void): void;
  /** Asks the program about a user; `done` as with `keyExchange`. Whatever goes wrong, and no answer in time, is a no. */
  checkUser(check: XauthCheck, username: string, password: string, done: (passed: boolean) => void): void;
  readonly dataPlane: DataPlane;
  /** What users, logs and the demonstration see. */
  emit(event: IkeEvent): void;
  readonly log: Log;
  /** Whether `keys` events are wanted: they carry secrets, for tshark. */
  readonly keyLog: boolean;
}

export interface Timer {
  cancel(): void;
}

/** A datagram of IKE. `natt`: it travels on the NAT-T socket, whose marker the transport adds and removes (RFC 3948 §2.2). */
export interface Datagram {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly natt: boolean;
  /** Without the non-ESP marker. A single 0xff byte is a NAT keepalive and goes without a marker (RFC 3948 §2.3). */
  readonly data: Uint8Array;
}

/** Structured log: an event name and fields that hold no secret. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** A Log that says nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
