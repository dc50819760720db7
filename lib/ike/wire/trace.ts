// Messages as people of the field write them: `IKE_SA_INIT`, `SA KE Nonce N(COOKIE)`. For events, logs and the demonstration.

import { ExchangeType, type Payload, Protocol } from './message.ts';
import { notifyName } from './notify.ts';

const EXCHANGES = new Map<number, string>(
  Object.entries(ExchangeType).map(([name, number]) => [number, name]),
);
const CONFIG_TYPES = ['', 'CFG_REQUEST', 'CFG_REPLY', 'CFG_SET', 'CFG_ACK'];
const EAP_CODES = ['', 'Request', 'Response', 'Success', 'Failure'];
const PROTOCOLS = new Map<number, string>(Object.entries(Protocol).map(([name, number]) => [number, name]));

/** The exchange's name, or `EXCHANGE_<number>`. */
export function exchangeName(type: number): string {
  return EXCHANGES.get(type) ?? `EXCHANGE_${type}`;
}

/** One name a payload, in order. Nothing in it comes from the peer but numbers, so it is safe to print. */
export function payloadNames(payloads: readonly Payload[]): string[] {
  return payloads.map(payloadName);
}

function payloadName(payload: Payload): string {
  switch (payload.type) {
    case 'NONCE':
      return 'Nonce';
    case 'N':
      return `N(${notifyName(payload.notify)})`;
    case 'D':
      return `D(${PROTOCOLS.get(payload.protocol) ?? payload.protocol})`;
    case 'CP':
      return `CP(${CONFIG_TYPES[payload.configType] || payload.configType})`;
    case 'EAP':
      return `EAP(${EAP_CODES[payload.data[0]] || payload.data[0]})`;
    case 'SKF':
      return `SKF(${payload.fragment}/${payload.total})`;
    case 'unknown':
      return `unknown(${payload.number}${payload.critical ? ', critical' : ''})`;
    default:
      return payload.type;
  }
}
