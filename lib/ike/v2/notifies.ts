// Notify payloads in short: making them, and reading the first error of an answer.

import type { NotifyPayload, Payload } from '../wire/message.ts';
import { isErrorNotify, Notify } from '../wire/notify.ts';

const NOTHING = new Uint8Array(0);

/** A notify about no SA in particular. */
export function makeNotify(notify: number, data: Uint8Array = NOTHING): NotifyPayload {
  return { type: 'N', protocol: 0, spi: NOTHING, notify, data };
}

/** A notify about one SA: `spi` as its protocol writes it. */
export function saNotify(notify: number, protocol: number, spi: Uint8Array): NotifyPayload {
  return { type: 'N', protocol, spi, notify, data: NOTHING };
}

/** The first error among the payloads; unknown error types count as errors (RFC 7296 §3.10.1). */
export function findError(payloads: readonly Payload[]): NotifyPayload | undefined {
  return payloads.find(
    (payload): payload is NotifyPayload => payload.type === 'N' && isErrorNotify(payload.notify),
  );
}

/** "Use this group": its number in two bytes, big-endian (RFC 7296 §1.3). */
export function invalidKe(method: number): NotifyPayload {
  return makeNotify(Notify.INVALID_KE_PAYLOAD, Uint8Array.of(method >> 8, method & 0xff));
}

/** RFC 7296 §2.10, §3.9: 16 to 256 bytes. */
export function isNonce(nonce: Uint8Array): boolean {
  return nonce.length >= 16 && nonce.length <= 256;
}
