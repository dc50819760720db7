// The way of a received datagram: version and header, then the IKE SA that its SPIs name, or a first request. What belongs to
// no SA is counted, and answered only where RFC 7296 asks (§1.5, §2.5, §2.21.4), and then not more often than a bound says.

import { emitTrace } from './emit-trace.ts';
import type { Host } from './host.ts';
import type { Datagram } from './runtime.ts';
import { receiveV1 } from './v1/receive.ts';
import { answerInClear } from './v2/answer-in-clear.ts';
import { IkeSa } from './v2/ike-sa.ts';
import { makeNotify } from './v2/notifies.ts';
import { respondInit, SaInit } from './v2/sa-init.ts';
import { decodeHeader, decodeMessage, unsupportedCritical } from './wire/codec.ts';
import { ExchangeType, findNotify, type Header, type Message } from './wire/message.ts';
import { Notify } from './wire/notify.ts';

/** Errors in clear to strangers, in one second; more of them would make us an amplifier's tool. */
const MOST_ERRORS_PER_SECOND = 10;

/** Hands received datagrams on. Whatever arrives, nothing is thrown. */
export class Dispatcher {
  readonly #host: Host;
  readonly #hasVersion1: boolean;
  #errorsSince = 0;
  #errors = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#hasVersion1 = Object.values(host.config.connections).some(({ version }) => version !== 2);
  }

  receive(datagram: Datagram): void {
    const host = this.#host;
    const header = decodeHeader(datagram.data);
    if (!header.ok) return host.count('malformed');
    if (header.value.majorVersion === 1) return this.#version1(datagram);
    if (header.value.majorVersion !== 2) return this.#otherVersion(datagram, header.value);
    const message = decodeMessage(datagram.data);
    if (!message.ok) return host.count('malformed');
    if (header.value.exchange === ExchangeType.IKE_SA_INIT) return this.#init(datagram, message.value);
    const ike = this.#find(header.value);
    if (ike === undefined) return this.#unknownSpi(datagram, message.value);
    const hint = findNotify(message.value.payloads, Notify.INVALID_IKE_SPI);
    if (hint !== undefined && header.value.flags.response) return this.#hint(ike);
    if (message.value.payloads.some((payload) => payload.type === 'SKF')) return host.count('fragment');
    ike.receive(datagram, message.value);
  }

  /** Our own SPI is the one of our role; the flag says which role the sender has (RFC 7296 §3.1). */
  #find({ initiatorSpi, responderSpi, flags }: Header): IkeSa | undefined {
    const ike = this.#host.table.findBySpi(flags.initiator ? responderSpi : initiatorSpi);
    const other = flags.initiator ? initiatorSpi : responderSpi;
    return ike instanceof IkeSa && other === (flags.initiator ? ike.spiI : ike.spiR) ? ike : undefined;
  }

  #init(datagram: Datagram, message: Message): void {
    const host = this.#host;
    const { header, payloads } = message;
    const { initiator, response } = header.flags;
    if (header.messageId !== 0 || initiator === response) return host.count('malformed');
    if (response) {
      const ike = host.table.findBySpi(header.initiatorSpi);
      if (!(ike instanceof IkeSa) || !(ike.inFlight instanceof SaInit))
        return host.count('unexpected-message-id');
      emitTrace(host.runtime, 'received', datagram, header, payloads, false);
      if (unsupportedCritical(payloads) !== undefined) return host.count('critical-payload');
      return ike.inFlight.receive(datagram, message);
    }
    if (header.responderSpi !== 0n) return host.count('malformed');
    emitTrace(host.runtime, 'received', datagram, header, payloads, false);
    const critical = unsupportedCritical(payloads);
    if (critical === undefined) return respondInit(host, datagram, message);
    host.count('critical-payload');
    if (!this.#mayAnswer()) return;
    const data = Uint8Array.of(critical);
    answerInClear(host, datagram, message, [makeNotify(Notify.UNSUPPORTED_CRITICAL_PAYLOAD, data)]);
  }

  /** Where no connection has asked for IKEv1 it is as if it were not there. */
  #version1(datagram: Datagram): void {
    if (!this.#hasVersion1) return this.#host.count('ikev1');
    receiveV1(this.#host, datagram, () => this.#mayAnswer());
  }

  /** RFC 7296 §2.5: a higher version is told that 2 is ours. */
  #otherVersion(datagram: Datagram, header: Header): void {
    this.#host.count('unknown-version');
    if (header.majorVersion < 2 || header.flags.response || !this.#mayAnswer()) return;
    const ours = { header: { ...header, majorVersion: 2 }, payloads: [] };
    answerInClear(this.#host, datagram, ours, [makeNotify(Notify.INVALID_MAJOR_VERSION)]);
  }

  /** RFC 7296 §1.5, §2.21.4: a request for an SA that we do not have is answered in clear, a response never. */
  #unknownSpi(datagram: Datagram, message: Message): void {
    this.#host.count('unknown-ike-spi');
    if (message.header.flags.response || !this.#mayAnswer()) return;
    answerInClear(this.#host, datagram, message, [makeNotify(Notify.INVALID_IKE_SPI)]);
  }

  /** RFC 7296 §2.4: anybody could have sent it. It is a reason to ask the peer, and for nothing more. */
  #hint(ike: IkeSa): void {
    this.#host.count('invalid-ike-spi-hint');
    if (ike.alive) ike.checkLiveness();
  }

  #mayAnswer(): boolean {
    const now = this.#host.runtime.nowMs();
    if (now - this.#errorsSince >= 1000) {
      this.#errorsSince = now;
      this.#errors = 0;
    }
    this.#errors++;
    return this.#errors <= MOST_ERRORS_PER_SECOND;
  }
}
