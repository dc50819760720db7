// One `message` event for each IKE message on the wire: what the demonstration prints and the log keeps.

import { toHex, uint64 } from '../bytes.ts';
import type { Datagram, Runtime } from './runtime.ts';
import { ExchangeType, type Header, type Payload } from './wire/message.ts';
import { exchangeName, payloadNames } from './wire/trace.ts';

/** Emits the trace of a message. `payloads` of a protected message are those inside its SK payload. */
export function emitTrace(
  runtime: Runtime,
  direction: 'sent' | 'received',
  datagram: Datagram,
  header: Header,
  payloads: readonly Payload[],
  retransmission: boolean,
  sealed = header.exchange !== ExchangeType.IKE_SA_INIT,
): void {
  const names = payloadNames(payloads);
  runtime.emit({
    type: 'message',
    message: {
      direction,
      atMs: runtime.nowMs(),
      local: datagram.local,
      remote: datagram.remote,
      exchange: exchangeName(header.exchange),
      messageId: header.messageId,
      response: header.flags.response,
      retransmission,
      payloads: sealed ? ['SK', ...names] : names,
      initiatorSpi: toHex(uint64(header.initiatorSpi)),
      responderSpi: toHex(uint64(header.responderSpi)),
      lengthBytes: datagram.data.length,
    },
  });
}
