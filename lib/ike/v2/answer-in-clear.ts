// Responses in clear to messages that belong to no IKE SA: IKE_SA_INIT's refusals, and errors to strangers (RFC 7296 §1.5).

import { emitTrace } from '../emit-trace.ts';
import type { Host } from '../host.ts';
import type { Datagram } from '../runtime.ts';
import { encodeMessage } from '../wire/codec.ts';
import type { Message, Payload } from '../wire/message.ts';

/** A response that leaves no state behind: the responder's SPI stays zero. */
export function answerInClear(
  host: Host,
  datagram: Datagram,
  { header }: Message,
  payloads: readonly Payload[],
): void {
  const responseHeader = {
    ...header,
    minorVersion: 0,
    flags: { initiator: !header.flags.initiator, response: true, version: false },
  };
  const { local, remote, natt } = datagram;
  const response = { local, remote, natt, data: encodeMessage(responseHeader, payloads) };
  emitTrace(host.runtime, 'sent', response, responseHeader, payloads, false, false);
  host.runtime.send(response);
}
