// The turns of one exchange: the last message that came and the last that went. What is repeated is answered with the very same bytes and
// processed no second time (RFC 2408 §5.1); whoever waits for a turn of the peer sends his own again until it comes.

import { equalBytes } from '../../bytes.ts';
import { Retransmitter } from '../retransmit.ts';
import type { Datagram } from '../runtime.ts';
import type { IsakmpHeader } from '../wire/header.ts';
import type { V1Payload } from '../wire/v1/message.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { emitV1Trace } from './trace.ts';

export interface Sent {
  readonly message: Uint8Array;
  readonly header: IsakmpHeader;
  readonly payloads: readonly V1Payload[];
}

export class Turns {
  readonly #ike: V1IkeSa;
  readonly #response: boolean;
  readonly #giveUp: () => void;
  #received: Uint8Array | undefined;
  #sent: Sent | undefined;
  #retransmitter: Retransmitter | undefined;

  /** `response`: we are the second side of the exchange. `giveUp`: the turn of the peer did not come. */
  constructor(ike: V1IkeSa, response: boolean, giveUp: () => void) {
    this.#ike = ike;
    this.#response = response;
    this.#giveUp = giveUp;
  }

  /** Whether it is the last message again; then our answer to it has gone out again. */
  repeated(datagram: Datagram): boolean {
    if (this.#received === undefined || !equalBytes(this.#received, datagram.data)) return false;
    if (this.#sent !== undefined) {
      this.#ike.host.count('retransmission-answered');
      const { local, remote, natt } = datagram;
      this.#ike.transmit({ local, remote, natt }, this.#sent, this.#response, true);
    }
    return true;
  }

  /** A message of the peer is accepted: it is our turn. */
  accepted(datagram: Datagram): void {
    this.#received = new Uint8Array(datagram.data);
    // What we sent before is no answer to this: without one its repetitions are dropped, or two ends would repeat themselves for ever.
    this.#sent = undefined;
    this.#retransmitter?.stop();
  }

  /** Sends our turn; with `awaits` again and again until the peer's comes. */
  send(sent: Sent, awaits: boolean): void {
    const { runtime, config } = this.#ike.host;
    this.#sent = sent;
    this.#retransmitter?.stop();
    const transmit = (again: boolean): void =>
      this.#ike.transmit(this.#ike.path, sent, this.#response, again);
    if (awaits)
      this.#retransmitter = new Retransmitter(
        runtime,
        config.retransmit,
        () => transmit(true),
        () => this.#giveUp(),
      );
    transmit(false);
  }

  /** Nothing is sent by itself any more; repeated messages still find their answer. */
  stop(): void {
    this.#retransmitter?.stop();
  }

  /** The trace of a message that came. */
  trace(datagram: Datagram, header: IsakmpHeader, payloads: readonly V1Payload[]): void {
    emitV1Trace(this.#ike.host.runtime, 'received', datagram, header, payloads, {
      response: !this.#response,
    });
  }
}
