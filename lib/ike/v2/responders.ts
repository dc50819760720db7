// Which file answers which exchange. A request comes here authentic, in its turn, and with every critical payload known.

import { ExchangeType, type Payload } from '../wire/message.ts';
import { Notify } from '../wire/notify.ts';
import { respondAuth } from './auth.ts';
import type { IkeSa, Reply } from './ike-sa.ts';
import { respondInformational } from './informational.ts';
import { makeNotify } from './notifies.ts';
import { settleByUse } from './rekey-ike.ts';
import { respondCreateChild } from './respond-create-child.ts';

/** Answers a request; `reply` may be called later, but at most once. */
export function respond(ike: IkeSa, exchange: number, payloads: readonly Payload[], reply: Reply): void {
  settleByUse(ike, payloads);
  switch (exchange) {
    case ExchangeType.IKE_AUTH:
      if (ike.state === 'connecting') return respondAuth(ike, payloads, reply);
      break;
    case ExchangeType.CREATE_CHILD_SA:
      return respondCreateChild(ike, payloads, reply);
    case ExchangeType.INFORMATIONAL:
      return respondInformational(ike, payloads, reply);
    default:
  }
  // Nothing that was agreed upon allows this exchange here (RFC 7296 §2.21.3).
  ike.host.count('unexpected-exchange');
  reply([makeNotify(Notify.INVALID_SYNTAX)]);
}
