// One `message` event for each message of IKEv1 on the wire, in the words of events.ts: the exchange by its name, the payloads in order.

import { toHex, uint64 } from '../../bytes.ts';
import type { Datagram, Runtime } from '../runtime.ts';
import type { IsakmpHeader } from '../wire/header.ts';
import { Exchange, type V1Payload } from '../wire/v1/message.ts';
import { v1NotifyName } from '../wire/v1/numbers.ts';

const EXCHANGES = new Map<number, string>(Object.entries(Exchange).map(([name, number]) => [number, name]));

/** An exchange's name, its number where it has none here. */
export function v1ExchangeName(number: number): string {
  return EXCHANGES.get(number) ?? String(number);
}

/** `response`: it is the second side of the exchange that sends it. */
export function emitV1Trace(
  runtime: Runtime,
  direction: 'sent' | 'received',
  datagram: Datagram,
  header: IsakmpHeader,
  payloads: readonly V1Payload[],
  more: { readonly response: boolean; readonly retransmission?: boolean },
): void {
  runtime.emit({
    type: 'message',
    message: {
      direction,
      atMs: runtime.nowMs(),
      local: datagram.local,
      remote: datagram.remote,
      exchange: v1ExchangeName(header.exchange),
      messageId: header.messageId,
      response: more.response,
      retransmission: more.retransmission ?? false,
      payloads: payloads.map(nameOf),
      initiatorSpi: toHex(uint64(header.initiatorCookie)),
      responderSpi: toHex(uint64(header.responderCookie)),
      lengthBytes: datagram.data.length,
    },
  });
}

function nameOf(payload: V1Payload): string {
  if (payload.type === 'N') return `N(${v1NotifyName(payload.notify)})`;
  return payload.type === 'unknown' ? String(payload.number) : payload.type;
}
