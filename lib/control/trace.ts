// One readable line a message, as `npm start` and `ike-native run --trace` print it, for example
// `-> IKE_SA_INIT request 0  192.0.2.1:500 > 203.0.113.9:500  SA KE NONCE N(NAT_DETECTION_SOURCE_IP)  240 bytes`.

import type { MessageTrace } from '../ike/events.ts';
import { formatEndpoint } from '../net/address.ts';

/** Writes one message; names from the wire are numbers or table entries, so the line holds no foreign text. */
export function formatTrace(message: MessageTrace): string {
  const sent = message.direction === 'sent';
  const from = formatEndpoint(sent ? message.local : message.remote);
  const to = formatEndpoint(sent ? message.remote : message.local);
  const kind = message.response ? 'response' : 'request';
  const parts = [
    `${sent ? '->' : '<-'} ${message.exchange} ${kind} ${message.messageId}`,
    `${from} > ${to}`,
    message.payloads.length === 0 ? '(no payloads)' : message.payloads.join(' '),
    `${message.lengthBytes} bytes`,
  ];
  if (message.retransmission) parts.push('(again)');
  return parts.join('  ');
}
