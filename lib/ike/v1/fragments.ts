// Fragments of IKEv1: the way of Microsoft and Cisco that other daemons share and no RFC has. A whole message, header and all, is cut into
// pieces, each of which is a message in clear with the same cookies and one payload. They are nobody's word: what is put together of
// them is looked at as if it had come in one datagram.

import { concat } from '../../bytes.ts';
import { parseAddress } from '../../net/address.ts';
import type { Datagram, Timer } from '../runtime.ts';
import { type Framed, HEADER_BYTES, type IsakmpHeader } from '../wire/header.ts';
import { decodeV1Message, encodeV1Message } from '../wire/v1/codec.ts';
import { Exchange, type FragmentPayload, findV1 } from '../wire/v1/message.ts';
import type { V1IkeSa } from './ike-sa.ts';

/** Of the payload (lib/ike/wire/v1/payloads.ts). */
export const FRAGMENT_PAYLOAD = 132;
/** Generic header, id, number and flags. */
const FRAGMENT_HEADER_BYTES = 8;
const UDP_HEADER_BYTES = 8;
const NON_ESP_MARKER_BYTES = 4;
const IP_HEADER_BYTES: Readonly<Record<number, number>> = { 4: 20, 16: 40 };
/** The number has one byte. */
const MOST_FRAGMENTS = 255;
/** Of a message that is put together; less before anybody has proved anything. */
const MOST_BYTES = { connecting: 32_768, up: 65_535 } as const;
/** How long the missing ones are waited for. */
const PATIENCE_MS = 30_000;

interface Assembly {
  readonly id: number;
  readonly parts: Map<number, Uint8Array>;
  bytes: number;
  /** The number of the last one, once that is known. */
  last: number | undefined;
}

export class Fragments {
  readonly #ike: V1IkeSa;
  #assembly: Assembly | undefined;
  #timer: Timer | undefined;
  /** A message that is sent again has the same id: what was lost of it can be filled in. */
  readonly #ids = new WeakMap<Uint8Array, number>();
  #lastId = 0;

  constructor(ike: V1IkeSa) {
    this.#ike = ike;
  }

  /** A datagram that may be a fragment; the message when it was the last that was missing. */
  take(datagram: Datagram): Datagram | undefined {
    const { host, connection } = this.#ike;
    if (connection.fragmentation === 'no') return this.#refuse('fragment-refused');
    const message = decodeV1Message(datagram.data);
    const fragment = message.ok ? findV1(message.value.payloads, 'FRAG') : undefined;
    if (!message.ok || fragment === undefined || message.value.payloads.length > 1)
      return this.#refuse('malformed');
    const assembly = this.#assemblyOf(fragment);
    if (!this.#add(assembly, fragment)) return undefined;
    this.#forget();
    const parts = Array.from({ length: assembly.parts.size }, (_, at) => assembly.parts.get(at + 1));
    host.count('message-of-fragments');
    return { ...datagram, data: concat(...parts.map((part) => part ?? new Uint8Array(0))) };
  }

  /** The datagrams that a message goes in: itself, unless it is longer than it may be and the peer can put it together. */
  cut(message: Uint8Array, header: IsakmpHeader): readonly Uint8Array[] {
    const { connection, peerFragments, remote } = this.#ike;
    const { fragmentation, fragmentSize } = connection;
    const sends = fragmentation === 'force' || (fragmentation === 'yes' && peerFragments);
    const outside = (IP_HEADER_BYTES[parseAddress(remote.address)?.length ?? 4] ?? 0) + UDP_HEADER_BYTES;
    const room = fragmentSize - outside - NON_ESP_MARKER_BYTES;
    if (!sends || message.length <= room) return [message];
    const each = room - HEADER_BYTES - FRAGMENT_HEADER_BYTES;
    const count = Math.ceil(message.length / each);
    if (count > MOST_FRAGMENTS) return [message];
    const id = this.#idOf(message);
    // Peers look for fragments in the exchanges of phase 1 only.
    const exchange = header.exchange === Exchange.AGGRESSIVE ? Exchange.AGGRESSIVE : Exchange.MAIN_MODE;
    const clear = {
      ...header,
      exchange,
      messageId: 0,
      flags: { ...header.flags, encrypted: false, commit: false },
    };
    return Array.from({ length: count }, (_, at) =>
      encodeV1Message(clear, [
        {
          type: 'FRAG',
          id,
          number: at + 1,
          last: at + 1 === count,
          data: message.subarray(at * each, (at + 1) * each),
        },
      ]),
    );
  }

  end(): void {
    this.#forget();
  }

  /** One message at a time: of another id, it is another one. */
  #assemblyOf({ id }: FragmentPayload): Assembly {
    if (this.#assembly?.id === id) return this.#assembly;
    this.#forget();
    const assembly: Assembly = { id, parts: new Map(), bytes: 0, last: undefined };
    this.#assembly = assembly;
    this.#timer = this.#ike.host.runtime.setTimer(PATIENCE_MS, () => this.#forget());
    return assembly;
  }

  /** Whether all are there now. */
  #add(assembly: Assembly, { number, last, data }: FragmentPayload): boolean {
    const { parts } = assembly;
    const most = this.#ike.establishedAtMs > 0 ? MOST_BYTES.up : MOST_BYTES.connecting;
    const ends = last ? number : assembly.last;
    // What contradicts what came before is not believed more than that.
    const contradicts = last && assembly.last !== undefined && assembly.last !== number;
    if (contradicts || (ends !== undefined && [...parts.keys(), number].some((one) => one > ends))) {
      this.#forget();
      this.#refuse('malformed');
      return false;
    }
    if (parts.has(number)) return false;
    if (assembly.bytes + data.length > most) {
      this.#forget();
      this.#refuse('fragments-too-long');
      return false;
    }
    assembly.last = ends;
    assembly.bytes += data.length;
    parts.set(number, data);
    return assembly.last === parts.size;
  }

  #idOf(message: Uint8Array): number {
    const known = this.#ids.get(message);
    if (known !== undefined) return known;
    this.#lastId = (this.#lastId % 0xffff) + 1;
    this.#ids.set(message, this.#lastId);
    return this.#lastId;
  }

  #forget(): void {
    this.#timer?.cancel();
    this.#assembly = undefined;
  }

  #refuse(why: string): undefined {
    this.#ike.host.count(why);
    return undefined;
  }
}

/** Whether a datagram is a fragment of a message, by its header. */
export function isFragment({ nextPayload, header }: Framed<IsakmpHeader>): boolean {
  return nextPayload === FRAGMENT_PAYLOAD && !header.flags.encrypted;
}
