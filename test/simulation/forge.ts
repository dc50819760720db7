// Messages that an attacker or a bad peer would send: sealed with the true keys of an IKE SA, whatever is in them. And readers
// of what went over the wire.

import assert from 'node:assert/strict';
import { concat } from '../../lib/bytes.ts';
import type { IkeSa } from '../../lib/ike/v2/ike-sa.ts';
import { open } from '../../lib/ike/v2/protect.ts';
import {
  decodeHeader,
  decodeMessage,
  encodeMessage,
  encodePayloads,
  encryptedHeader,
} from '../../lib/ike/wire/codec.ts';
import type { Header, Payload } from '../../lib/ike/wire/message.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';
import type { Gateway } from './gateway.ts';
import type { Packet, World } from './world.ts';

const CRYPTO = nodeCrypto();
let counter = 1n << 40n;

export interface Forged {
  /** Whose keys and flags: the role of the sender in the IKE SA. */
  readonly as: IkeSa['role'];
  readonly exchange: number;
  readonly messageId: number;
  readonly response?: boolean;
  readonly payloads?: readonly Payload[];
  /** In place of payloads: what stands inside as bytes, and the type of its first payload. */
  readonly raw?: { readonly first: number; readonly bytes: Uint8Array; readonly padding?: number };
}

/** A whole message of `ike` with a true ICV. AES-GCM only. */
export function forge(ike: IkeSa, forged: Forged): Uint8Array {
  const { keys, suite } = ike;
  assert.ok(keys !== undefined && suite !== undefined && suite.integ === undefined);
  const inner = forged.raw ?? encodePayloads(forged.payloads ?? []);
  const iv = new Uint8Array(8);
  new DataView(iv.buffer).setBigUint64(0, counter++);
  const padding = forged.raw?.padding ?? 0;
  const plaintext = concat(inner.bytes, Uint8Array.of(padding));
  const { encr } = suite;
  const header = headerOf(ike, forged);
  const head = encryptedHeader(header, inner.first, iv.length + plaintext.length + encr.icvBytes);
  const key = forged.as === 'initiator' ? keys.ei : keys.er;
  return concat(head, iv, CRYPTO.aeadSeal(encr, key, iv, head, plaintext));
}

/** A message of `ike` in clear. */
export function inClear(ike: IkeSa, forged: Forged): Uint8Array {
  return encodeMessage(headerOf(ike, forged), forged.payloads ?? []);
}

function headerOf(ike: IkeSa, { as, exchange, messageId, response }: Forged): Header {
  return {
    initiatorSpi: ike.spiI,
    responderSpi: ike.spiR,
    majorVersion: 2,
    minorVersion: 0,
    exchange,
    flags: { initiator: as === 'initiator', response: response === true, version: false },
    messageId,
  };
}

/** Brings `data` to `to` as if it came from the address of `from`, and lets what follows at once happen. */
export function deliver(world: World, from: Gateway, to: Gateway, data: Uint8Array): void {
  world.inject({
    from: { address: from.address, port: 500 },
    to: { address: to.address, port: 500 },
    data,
  });
  world.run(200);
}

/** The payloads of a sealed message of `ike`. */
export function unseal(ike: IkeSa, data: Uint8Array): readonly Payload[] {
  const message = decodeMessage(data);
  assert.ok(message.ok && ike.keys !== undefined && ike.suite !== undefined);
  const [sk] = message.value.payloads;
  assert.ok(sk?.type === 'SK');
  const { initiator } = message.value.header.flags;
  const keys = initiator ? { e: ike.keys.ei, a: ike.keys.ai } : { e: ike.keys.er, a: ike.keys.ar };
  const opened = open(CRYPTO, ike.suite, keys, data, sk);
  assert.ok(opened.ok && opened.value.ok);
  return opened.value.value;
}

export function headerIn({ data }: Packet): Header {
  const header = decodeHeader(data);
  assert.ok(header.ok);
  return header.value;
}

/** What `from` sent since `mark` (an earlier `world.wire.length`), keepalives left out. */
export function sentSince(world: World, from: Gateway, mark: number): Packet[] {
  return world.wire
    .slice(mark)
    .filter((packet) => packet.from.address === from.address && packet.data.length > 1);
}

/** Names of notifies among payloads, by number. */
export function notifiesOf(payloads: readonly Payload[]): number[] {
  return payloads.flatMap((payload) => (payload.type === 'N' ? [payload.notify] : []));
}
