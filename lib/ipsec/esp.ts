// ESP (RFC 4303) over the `Crypto` interface, without sockets, clocks or tables: one sender for an outbound SA, one receiver for an
// inbound one.
// Out: what of the packet travels (payloadOf), padding and trailer, the next sequence number, IV, encryption, check value.
// In: lengths, replay check, check value, decryption, window update, padding, the inner packet taken out or rebuilt, selectors.

import { concat, equalConstantTime, readUint32, uint32, uint64 } from '../bytes.ts';
import type { EncryptionAlgorithm } from '../crypto/algorithms.ts';
import type { Crypto } from '../crypto/provider.ts';
import type { EspParameters, SaSuite } from './data-plane.ts';
import { type InnerPacket, readPacket } from './packet.ts';
import { matchesSelectors } from './policy-table.ts';
import { MAX_EXTENDED_SEQUENCE, MAX_SEQUENCE, ReplayWindow } from './replay-window.ts';
import { copySa, suiteIsSound, wipeSa } from './sa-check.ts';
import type { Wear } from './sa-use.ts';
import {
  type OuterAddresses,
  rebuildPacket,
  type TransportPayload,
  type TransportRefusal,
  takePayload,
} from './transport-mode.ts';

const NEXT_IPV4 = 4;
const NEXT_IPV6 = 41;
const NO_NEXT_HEADER = 59;
const HEADER_BYTES = 8;
const TRAILER_BYTES = 2;
/** The share of the sequence numbers that is used before a successor is asked for. */
const SOFT_SHARE = 15 / 16;
/** Packets in a row that fail the integrity check before one of them is tried with later upper halves (RFC 4303 Appendix A3.1). */
const RESYNC_AFTER = 256;
/** How many upper halves are tried then: a flood of forgeries costs a sixteenth more. */
const RESYNC_TRIES = 16;
const NOTHING = new Uint8Array(0);

/** Whether packets can be protected so. */
export function espCarries(suite: SaSuite): boolean {
  return suite.protocol === 'esp' && suiteIsSound(suite);
}

/** What of a packet travels in an SA of this mode: all of it, or what is behind its IP header (RFC 4303 §3.1). */
export function payloadOf(
  mode: EspParameters['mode'],
  packet: Uint8Array,
  inner: InnerPacket,
): TransportPayload | TransportRefusal {
  if (mode === 'transport') return takePayload(packet, inner);
  // What follows the packet that the header announces is no part of it.
  return {
    payload: packet.subarray(0, inner.lengthBytes),
    nextHeader: inner.version === 4 ? NEXT_IPV4 : NEXT_IPV6,
  };
}

/** The first half of an outbound SA's work. */
export class EspSender {
  readonly #crypto: Crypto;
  readonly #sa: EspParameters;
  readonly #random: (lengthBytes: number) => Uint8Array;
  readonly #lastSequence: number;
  #sequence: number;

  /** Copies the keys. `usedSequence` is the number that counts as sent already: 0 for a new SA. */
  constructor(
    crypto: Crypto,
    sa: EspParameters,
    random: (lengthBytes: number) => Uint8Array,
    usedSequence = 0,
  ) {
    this.#crypto = crypto;
    this.#sa = copySa(sa);
    this.#random = random;
    this.#lastSequence = sa.esn ? MAX_EXTENDED_SEQUENCE : MAX_SEQUENCE;
    this.#sequence = usedSequence;
  }

  /** The last sequence number that was used. */
  get sequence(): number {
    return this.#sequence;
  }

  /** `soft`: few numbers are left. `hard`: none is (RFC 4303 §3.3.3: the counter never cycles). */
  get wear(): Wear {
    if (this.#sequence >= this.#lastSequence) return 'hard';
    return this.#sequence >= this.#lastSequence * SOFT_SHARE ? 'soft' : 'none';
  }

  /** The length of the ESP packet that a payload of `payloadBytes` becomes. */
  sealedBytes(payloadBytes: number): number {
    const { encryption, integrity } = this.#sa;
    const icvBytes = integrity?.icvBytes ?? encryption.icvBytes;
    const textBytes = this.#textBytes(payloadBytes);
    const padBytes = this.#padBytes(textBytes);
    return HEADER_BYTES + encryption.ivBytes + textBytes + padBytes + TRAILER_BYTES + icvBytes;
  }

  /** Makes the ESP packet of a payload, see `payloadOf`; undefined when the sequence numbers are spent. */
  seal(payload: Uint8Array, nextHeader: number): Uint8Array | undefined {
    if (this.#sequence >= this.#lastSequence) return undefined;
    const sequence = ++this.#sequence;
    const { encryption, encryptionKey, esn, spi } = this.#sa;
    const header = concat(uint32(spi), uint32(sequence % 2 ** 32));
    const high = esn ? uint32(Math.floor(sequence / 2 ** 32)) : NOTHING;
    const plaintext = this.#withTrailer(payload, nextHeader);
    // With a salt the counter itself is the IV: unique under the key, as RFC 4106 §3.1, RFC 3686 §3.1 and others demand.
    const iv = encryption.saltBytes > 0 ? uint64(BigInt(sequence)) : this.#random(encryption.ivBytes);
    if (encryption.icvBytes > 0) {
      const aad = additionalData(header, high);
      return concat(header, iv, this.#crypto.aeadSeal(encryption, encryptionKey, iv, aad, plaintext));
    }
    const ciphertext = this.#crypto.encrypt(encryption, encryptionKey, iv, plaintext);
    const icv = checkValue(this.#crypto, this.#sa, header, iv, ciphertext, high);
    return concat(header, iv, ciphertext, icv);
  }

  /** Overwrites the keys; nothing can be sealed afterwards. */
  close(): void {
    this.#sequence = this.#lastSequence;
    wipeSa(this.#sa);
  }

  /** Payload and the padding that hides how long it is: tunnel mode alone, whose inner packet says its own length (RFC 4303 §2.7). */
  #textBytes(payloadBytes: number): number {
    const { mode, tfcBytes = 0 } = this.#sa;
    return mode === 'tunnel' ? Math.max(payloadBytes, tfcBytes) : payloadBytes;
  }

  #padBytes(textBytes: number): number {
    const align = alignBytes(this.#sa.encryption);
    return (align - ((textBytes + TRAILER_BYTES) % align)) % align;
  }

  #withTrailer(payload: Uint8Array, nextHeader: number): Uint8Array {
    const textBytes = this.#textBytes(payload.length);
    const padBytes = this.#padBytes(textBytes);
    const out = new Uint8Array(textBytes + padBytes + TRAILER_BYTES);
    out.set(payload);
    for (let i = 0; i < padBytes; i++) out[textBytes + i] = i + 1;
    out[out.length - 2] = padBytes;
    out[out.length - 1] = nextHeader;
    return out;
  }
}

/** Why an inbound packet was dropped. */
export type EspDrop = 'malformed' | 'replay' | 'integrity' | 'padding' | 'next-header' | 'selector';

/** What became of an inbound ESP packet. `moved`: it was authenticated and is the newest of its SA. */
export type EspOpened =
  | { readonly kind: 'packet'; readonly packet: Uint8Array; readonly moved: boolean }
  /** Traffic-flow padding that means nothing (RFC 4303 §2.6). */
  | { readonly kind: 'dummy'; readonly moved: boolean }
  | { readonly kind: 'drop'; readonly cause: EspDrop; readonly moved: boolean };

/** The first half of an inbound SA's work. */
export class EspReceiver {
  readonly #crypto: Crypto;
  readonly #sa: EspParameters;
  readonly #window: ReplayWindow;
  /** Packets in a row that failed the integrity check. */
  #failures = 0;
  #closed = false;

  /** Copies the keys. `seenSequence` counts as received already: 0 for a new SA. */
  constructor(crypto: Crypto, sa: EspParameters, seenSequence = 0) {
    this.#crypto = crypto;
    this.#sa = copySa(sa);
    this.#window = new ReplayWindow(sa.replayWindow, sa.esn, seenSequence);
  }

  /** The highest sequence number that was accepted. */
  get sequence(): number {
    return this.#window.top;
  }

  /** Takes an ESP packet, SPI first. Transport mode needs the addresses that it came from and to. */
  open(esp: Uint8Array, outer?: OuterAddresses): EspOpened {
    const { encryption, integrity } = this.#sa;
    const icvBytes = integrity?.icvBytes ?? encryption.icvBytes;
    const bodyBytes = esp.length - HEADER_BYTES - encryption.ivBytes - icvBytes;
    if (this.#closed || bodyBytes < TRAILER_BYTES || bodyBytes % alignBytes(encryption) !== 0)
      return drop('malformed');
    const located = this.#window.locate(readUint32(esp, 4));
    // Cheap first: a replay costs no cryptography (RFC 4303 §3.4.3).
    if (located === undefined || !this.#window.check(located)) return drop('replay');
    const authentic = this.#authenticate(esp, located, icvBytes);
    if (authentic === undefined) return drop('integrity');
    const { plaintext, sequence } = authentic;
    return this.#read(plaintext, this.#window.accept(sequence), outer);
  }

  /** Overwrites the keys; everything is dropped afterwards. */
  close(): void {
    this.#closed = true;
    wipeSa(this.#sa);
  }

  /** The plaintext, with the sequence number under which the check value holds. */
  #authenticate(
    esp: Uint8Array,
    located: number,
    icvBytes: number,
  ): { readonly plaintext: Uint8Array; readonly sequence: number } | undefined {
    const plaintext = this.#decrypt(esp, located, icvBytes);
    if (plaintext !== undefined) {
      this.#failures = 0;
      return { plaintext, sequence: located };
    }
    this.#failures++;
    return this.#sa.esn && this.#failures % RESYNC_AFTER === 0
      ? this.#resynchronise(esp, located, icvBytes)
      : undefined;
  }

  /** After the loss of 2^32 packets or more the upper half is a later one than the window says (RFC 4303 Appendix A3.2). */
  #resynchronise(
    esp: Uint8Array,
    located: number,
    icvBytes: number,
  ): { readonly plaintext: Uint8Array; readonly sequence: number } | undefined {
    for (let ahead = 1; ahead <= RESYNC_TRIES; ahead++) {
      const sequence = located + ahead * 2 ** 32;
      if (sequence > MAX_EXTENDED_SEQUENCE) return undefined;
      const plaintext = this.#decrypt(esp, sequence, icvBytes);
      if (plaintext === undefined) continue;
      this.#failures = 0;
      return { plaintext, sequence };
    }
    return undefined;
  }

  /** What an authentic plaintext holds. */
  #read(plaintext: Uint8Array, moved: boolean, outer: OuterAddresses | undefined): EspOpened {
    const nextHeader = plaintext[plaintext.length - 1];
    const payload = withoutPadding(plaintext);
    if (payload === undefined) return drop('padding', moved);
    if (nextHeader === NO_NEXT_HEADER) return { kind: 'dummy', moved };
    const tunnel = this.#sa.mode === 'tunnel';
    if (tunnel && nextHeader !== NEXT_IPV4 && nextHeader !== NEXT_IPV6) return drop('next-header', moved);
    const bytes = tunnel ? payload : outer && rebuildPacket(payload, nextHeader, outer);
    const inner = bytes && readPacket(bytes);
    if (bytes === undefined || inner === undefined) return drop('malformed', moved);
    if (tunnel && nextHeader !== (inner.version === 4 ? NEXT_IPV4 : NEXT_IPV6))
      return drop('next-header', moved);
    // RFC 4301 §5.2: what comes out of an SA must be what the SA is for.
    if (!matchesSelectors(inner, this.#sa.remoteTs, this.#sa.localTs)) return drop('selector', moved);
    // What follows the packet is traffic-flow padding (RFC 4303 §2.7).
    return { kind: 'packet', packet: bytes.subarray(0, inner.lengthBytes), moved };
  }

  #decrypt(esp: Uint8Array, sequence: number, icvBytes: number): Uint8Array | undefined {
    const { encryption, encryptionKey, esn } = this.#sa;
    const bodyAt = HEADER_BYTES + encryption.ivBytes;
    const header = esp.subarray(0, HEADER_BYTES);
    const iv = esp.subarray(HEADER_BYTES, bodyAt);
    const high = esn ? uint32(Math.floor(sequence / 2 ** 32)) : NOTHING;
    if (encryption.icvBytes > 0)
      return this.#crypto.aeadOpen(
        encryption,
        encryptionKey,
        iv,
        additionalData(header, high),
        esp.subarray(bodyAt),
      );
    const icvAt = esp.length - icvBytes;
    const ciphertext = esp.subarray(bodyAt, icvAt);
    const expected = checkValue(this.#crypto, this.#sa, header, iv, ciphertext, high);
    if (!equalConstantTime(expected, esp.subarray(icvAt))) return undefined;
    return this.#crypto.decrypt(encryption, encryptionKey, iv, ciphertext);
  }
}

/** The trailer ends on a 4-byte boundary at least, on one of the cipher's blocks where it has them (RFC 4303 §2.4). */
function alignBytes({ blockBytes }: EncryptionAlgorithm): number {
  return Math.max(4, blockBytes);
}

/** SPI and sequence number, the whole 64 bits of it where it is extended (RFC 4106 §5). */
function additionalData(header: Uint8Array, high: Uint8Array): Uint8Array {
  return high.length === 0 ? header : concat(header.subarray(0, 4), high, header.subarray(4));
}

/** A separate algorithm covers the packet and behind it the upper half of the number, which is not sent (RFC 4303 §2.2.1). */
function checkValue(
  crypto: Crypto,
  { integrity, integrityKey }: EspParameters,
  ...data: readonly Uint8Array[]
): Uint8Array {
  if (integrity === undefined || integrityKey === undefined) throw new TypeError('an SA without integrity');
  return crypto.integrity(integrity, integrityKey, ...data);
}

/** The payload before padding, pad length and next header; undefined unless the padding counts 1, 2, 3 (RFC 4303 §2.4). */
function withoutPadding(plaintext: Uint8Array): Uint8Array | undefined {
  const padBytes = plaintext[plaintext.length - 2];
  const payloadBytes = plaintext.length - TRAILER_BYTES - padBytes;
  if (payloadBytes < 0) return undefined;
  for (let i = 0; i < padBytes; i++) if (plaintext[payloadBytes + i] !== i + 1) return undefined;
  return plaintext.subarray(0, payloadBytes);
}

function drop(cause: EspDrop, moved = false): EspOpened {
  return { kind: 'drop', cause, moved };
}
