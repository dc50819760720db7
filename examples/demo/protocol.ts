// What the demonstration's main program and its two gateway processes say to each other over node's IPC channel.

import type { ConfigInput } from '../../lib/config/parse.ts';

/** Main program -> gateway process. Each order is answered by one {@link Answer} with the same number. */
export type Order = { readonly number: number } & (
  | { readonly do: 'start'; readonly config: ConfigInput }
  | { readonly do: 'initiate'; readonly connection: string; readonly child: string }
  /** One line for each SA. */
  | { readonly do: 'describe' }
  /** Portable data plane only: packets made and read by the program itself. */
  | { readonly do: 'ping'; readonly from: string; readonly to: string; readonly count: number }
  | { readonly do: 'flood'; readonly from: string; readonly to: string; readonly seconds: number }
  | { readonly do: 'received' }
  | { readonly do: 'close' }
);

/** What each order is answered with. */
export interface Answers {
  start: string;
  initiate: null;
  describe: string[];
  ping: string[];
  flood: null;
  received: { readonly bytes: number; readonly ms: number };
  close: null;
}

export type Answer =
  | { readonly number: number; readonly ok: true; readonly value: unknown }
  | { readonly number: number; readonly ok: false; readonly message: string };

/** Gateway process -> main program: an answer, or a line to print. */
export type Report = Answer | { readonly line: string };

type OrderBody<O> = O extends Order ? Omit<O, 'number'> : never;
/** An order before it gets its number. */
export type Request = OrderBody<Order>;
