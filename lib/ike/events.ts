// What the negotiation tells the outside: one discriminated union, the same for the public API, logs and simulation.

import type { Endpoint } from '../net/address.ts';
import type { FailureReport } from './failure.ts';

export type IkeEvent =
  | { readonly type: 'ike-up'; readonly ike: IkeSaInfo }
  | { readonly type: 'ike-down'; readonly ike: IkeSaInfo; readonly reason: DownReason }
  | { readonly type: 'child-up'; readonly child: ChildSaInfo }
  | { readonly type: 'child-down'; readonly child: ChildSaInfo; readonly reason: DownReason }
  /** The old SA is replaced; it goes without a `down` event. */
  | { readonly type: 'ike-rekeyed'; readonly old: IkeSaInfo; readonly ike: IkeSaInfo }
  | { readonly type: 'child-rekeyed'; readonly old: ChildSaInfo; readonly child: ChildSaInfo }
  | { readonly type: 'failed'; readonly report: FailureReport }
  /** Something was done that is allowed by the configuration alone, and should not be for long. */
  | { readonly type: 'warning'; readonly warning: Warning }
  /** One message sent or received, retransmissions marked: what `npm start` and `--trace` print. */
  | { readonly type: 'message'; readonly message: MessageTrace }
  /** Key material for tshark; only made when the gateway has a key log. SECRET. */
  | { readonly type: 'keys'; readonly keys: KeyLogEntry };

export interface Warning {
  /** Stable: `sha1-signature`, `weak-algorithm`, `aggressive-mode`, ... */
  readonly code: string;
  /** One sentence for a person. */
  readonly message: string;
  readonly connection?: string;
  readonly remote?: Endpoint;
}

export type DownReason =
  | 'deleted'
  | 'deleted-by-peer'
  | 'dead-peer'
  | 'expired'
  | 'replaced'
  | 'closed'
  | 'failed';

export interface IkeSaInfo {
  readonly id: number;
  readonly version: 1 | 2;
  readonly connection: string;
  readonly role: 'initiator' | 'responder';
  readonly state: 'connecting' | 'established' | 'rekeying' | 'rekeyed' | 'deleting';
  /** 16 hexadecimal digits each. */
  readonly initiatorSpi: string;
  readonly responderSpi: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly localId: string;
  readonly remoteId: string;
  /** swanctl notation, for example `aes128gcm16-prfsha256-curve25519`. */
  readonly proposal: string;
  readonly natDetected: { readonly local: boolean; readonly remote: boolean };
  readonly establishedAtMs: number;
  /** The user of XAuth: the peer's where we asked, else ours. */
  readonly xauthId?: string;
  /** Inner addresses that the peer has given to us, and we to the peer. */
  readonly vips?: readonly string[];
  readonly remoteVips?: readonly string[];
  /** What the peer told us with our address. Texts of a stranger: show them with care. */
  readonly settings?: PeerSettings;
}

/** What a peer tells whom it gives an address (Mode-Config). Networks as `10.1.0.0/16`. */
export interface PeerSettings {
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly nbns: readonly string[];
  /** Networks that it wants sent through the tunnel, and those that it does not (Unity). They are told, and not acted upon. */
  readonly splitInclude: readonly string[];
  readonly splitExclude: readonly string[];
  readonly banner?: string;
  readonly defaultDomain?: string;
}

export interface ChildSaInfo {
  readonly id: number;
  readonly ikeId: number;
  readonly connection: string;
  readonly name: string;
  readonly state: 'installing' | 'established' | 'rekeying' | 'rekeyed' | 'deleting';
  /** 8 hexadecimal digits each; `in` is ours, `out` the peer's. */
  readonly spis: { readonly in: string; readonly out: string };
  /** AH around it, where IKEv1 has agreed on both. */
  readonly around?: {
    readonly spis: { readonly in: string; readonly out: string };
    readonly proposal: string;
  };
  /** Ids of the two SAs in the data plane, and of their policy. */
  readonly saIds: { readonly in: number; readonly out: number };
  readonly policyId: number;
  readonly localTs: readonly string[];
  readonly remoteTs: readonly string[];
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  readonly proposal: string;
  /** ESP goes inside UDP (RFC 3948). */
  readonly encap: boolean;
  readonly establishedAtMs: number;
}

export interface MessageTrace {
  readonly direction: 'sent' | 'received';
  readonly atMs: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** `IKE_SA_INIT`, `IKE_AUTH`, ... */
  readonly exchange: string;
  readonly messageId: number;
  readonly response: boolean;
  readonly retransmission: boolean;
  /** Names in order, notifies with theirs: `SA`, `KE`, `N(NAT_DETECTION_SOURCE_IP)`. Payloads inside SK stand after `SK`. */
  readonly payloads: readonly string[];
  readonly initiatorSpi: string;
  readonly responderSpi: string;
  readonly lengthBytes: number;
}

export type KeyLogEntry =
  | {
      /** A phase 1 of IKEv1: the key of its cipher. */
      readonly kind: 'ikev1';
      readonly initiatorSpi: string;
      readonly responderSpi: string;
      readonly encryption: string;
      readonly encryptionKey: Uint8Array;
    }
  | {
      readonly kind: 'ike';
      readonly initiatorSpi: string;
      readonly responderSpi: string;
      /** Names of the algorithm table; `integrity` is undefined with an AEAD. */
      readonly encryption: string;
      readonly integrity: string | undefined;
      readonly skEi: Uint8Array;
      readonly skEr: Uint8Array;
      readonly skAi: Uint8Array;
      readonly skAr: Uint8Array;
    }
  | {
      readonly kind: 'esp';
      readonly mode: 'tunnel' | 'transport';
      readonly source: string;
      readonly destination: string;
      readonly spi: string;
      readonly encryption: string;
      readonly integrity: string | undefined;
      readonly encryptionKey: Uint8Array;
      readonly integrityKey: Uint8Array;
    }
  | {
      readonly kind: 'ah';
      readonly mode: 'tunnel' | 'transport';
      readonly source: string;
      readonly destination: string;
      readonly spi: string;
      readonly integrity: string;
      readonly integrityKey: Uint8Array;
    };
