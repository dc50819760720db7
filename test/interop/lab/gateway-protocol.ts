// What a test and its gateway processes say to each other over node's IPC channel.

import type { ConfigInput, GatewayEvents, GatewayStats, IkeSaStatus } from '../../../lib/index.ts';

/** What each order is answered with. */
export interface Answers {
  /** The data plane that runs. */
  start: string;
  initiate: null;
  terminate: null;
  rekey: null;
  sas: IkeSaStatus[];
  stats: GatewayStats;
  close: null;
}

interface SaName {
  readonly connection: string;
  readonly child: string | undefined;
}

/** What each order takes. */
export interface Orders {
  start: ConfigInput;
  initiate: SaName;
  terminate: SaName;
  rekey: SaName;
  sas: undefined;
  stats: undefined;
  close: undefined;
}

export type OrderName = keyof Orders & keyof Answers;
/** Test -> gateway process; answered once with the same number. */
export type Order = {
  [N in OrderName]: { readonly number: number; readonly do: N; readonly with: Orders[N] };
}[OrderName];

/** The events that are reported; inner packets go through the TUN device, not through here. */
export type EventName = Exclude<keyof GatewayEvents, 'packet' | 'rekeyed'>;
export const EVENTS: readonly EventName[] = [
  ...(['ike-up', 'ike-down', 'ike-rekeyed', 'child-up', 'child-down', 'child-rekeyed'] as const),
  ...(['failed', 'warning', 'message', 'keys'] as const),
];

export type RecordedEvent = {
  [E in EventName]: { readonly event: E; readonly args: GatewayEvents[E] };
}[EventName];

/** Gateway process -> test: an answer, an event, or a line of the gateway's log. */
export type Report =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly code: string; readonly message: string; readonly report: unknown }
  | RecordedEvent
  | { readonly log: string };
