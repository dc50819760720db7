// A failed negotiation explains itself: which connections were candidates, where the proposals part, what to change.

import type { Endpoint } from '../net/address.ts';

export interface FailureReport {
  /** Stable: `no-proposal`, `authentication`, `traffic-selectors`, `no-answer`, `no-connection`, `peer-refused`, `data-plane`, ... */
  readonly code: string;
  /** One sentence for a person. */
  readonly message: string;
  /** What to change, when it is known. */
  readonly advice?: string;
  readonly connection?: string;
  readonly child?: string;
  readonly remote: Endpoint;
  readonly exchange: string;
  /** Our part in that exchange. */
  readonly role: 'initiator' | 'responder';
  /** The notify that was sent or received. */
  readonly notify?: string;
  /** The certificate that it is about, and what about it was not right: `expired`, `untrusted`, `key-usage`, ... */
  readonly certificate?: { readonly subject: string; readonly fault: string };
  /** Connections that were looked at. */
  readonly candidates?: readonly string[];
  /** Where the offers part: the closest pair of proposals, and the first kind of transform that has nothing in common. */
  readonly proposals?: { readonly ours: string; readonly theirs: string; readonly missing: string };
}
