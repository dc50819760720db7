// The configuration after validation: complete, frozen, in the units that the code works with. `schema.ts` makes it
// from what people write; nothing else does.

import type { Certificate } from '../auth/certificate.ts';
import type { SigningKey } from '../auth/keys.ts';
import type { TrustPolicy } from '../auth/peer.ts';
import type { Algorithm } from '../crypto/algorithms.ts';
import type { OuterHeader } from '../ipsec/data-plane.ts';
import type { KernelOptions } from '../ipsec/kernel/kernel-api.ts';
import type { TrafficSelector } from '../ipsec/selector.ts';
import type { XfrmInterface } from './notation.ts';

export interface Config {
  readonly listen: {
    /** Local addresses to bind; the wildcards by default. */
    readonly addresses: readonly string[];
    /** UDP ports, 500 and 4500 by default; 0 takes a free one. */
    readonly port: number;
    readonly nattPort: number;
  };
  /** `auto`: engine where the addon and the privilege are there, else portable. */
  readonly dataPlane: 'auto' | 'engine' | 'portable' | 'memory';
  readonly tun: { readonly name: string; readonly mtu: number };
  readonly engine: {
    /** Threads in each direction; 0: by the number of cores. */
    readonly workers: number;
    readonly busyPollMs: number;
    readonly clampMss: boolean;
  };
  readonly routes: {
    readonly install: boolean;
    readonly table: number;
    readonly priority: number;
    readonly mark: number;
  };
  readonly kernel: KernelConfig;
  readonly retransmit: {
    /** RFC 7296 §2.4: first wait, growth, how many times the same bytes are sent again, and the share of jitter (0 to 1). */
    readonly timeoutMs: number;
    readonly base: number;
    readonly tries: number;
    readonly jitter: number;
  };
  readonly limits: Limits;
  readonly natKeepaliveMs: number;
  /** Addresses for remote peers, by name. */
  readonly pools: Readonly<Record<string, PoolConfig>>;
  readonly connections: Readonly<Record<string, Connection>>;
}

/** What is in the kernel under the name of this gateway. */
export interface KernelConfig {
  readonly interfaces: readonly XfrmInterface[];
  readonly leftovers: 'clear' | 'adopt' | 'refuse' | 'flush';
  /** The first of 65,536 request ids, which are nobody else's. */
  readonly reqid: number;
}

/** Addresses of one family, and what goes with them. */
export interface PoolConfig {
  /** Ranges; only their addresses count. */
  readonly addresses: readonly TrafficSelector[];
  readonly dns: readonly string[];
  readonly nbns: readonly string[];
  /** IPv4 networks. */
  readonly splitInclude: readonly TrafficSelector[];
  readonly splitExclude: readonly TrafficSelector[];
  readonly banner: string | undefined;
  readonly defaultDomain: string | undefined;
}

export interface Limits {
  /** Half-open IKE SAs from which on a COOKIE is asked for (RFC 7296 §2.6). */
  readonly cookieThreshold: number;
  /** Half-open IKE SAs in all, and from one address; further requests are dropped and counted. */
  readonly halfOpen: number;
  readonly halfOpenPerAddress: number;
  /** A responder forgets an IKE SA that is not authenticated after this. */
  readonly halfOpenTimeoutMs: number;
  readonly ikeSas: number;
  readonly childSasPerIkeSa: number;
  /** Packets that wait for one trap policy. */
  readonly heldPackets: number;
}

export interface Connection {
  readonly name: string;
  /** `any` calls with 2 and answers both. */
  readonly version: 1 | 2 | 'any';
  /** IKEv1 calls with Aggressive Mode and answers it. */
  readonly aggressive: boolean;
  /** How IKEv1 uses RSA keys (RFC 2409 §5.2, §5.3); undefined: they sign. */
  readonly publicKeyEncryption: 'revised' | 'original' | undefined;
  /** `%any` answers any address and never initiates. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;
  readonly remoteNattPort: number;
  readonly local: LocalPeer;
  readonly remote: RemotePeer;
  readonly proposals: readonly ProposalConfig[];
  readonly children: Readonly<Record<string, ChildConfig>>;
  /** Names of the pools that the peer gets its address from; empty: it gets none. */
  readonly pools: readonly string[];
  /** Addresses that we ask the peer for; `0.0.0.0` and `::` stand for any. */
  readonly vips: readonly string[];
  /** Who begins with it: whoever wants an address, or whoever gives it. */
  readonly modeConfig: 'pull' | 'push';
  /** Children that let traffic pass or drop it and are never negotiated. */
  readonly shunts: Readonly<Record<string, ShuntConfig>>;
  /** Ask for UDP encapsulation even without a NAT; undefined: where the data plane is faster with it. */
  readonly encap: boolean | undefined;
  /** 0 turns the timer off. Rekeying starts at `rekeyTimeMs` less a random part of `rekeyJitterMs`; `overTimeMs` later the SA ends. */
  readonly rekeyTimeMs: number;
  readonly rekeyJitterMs: number;
  readonly overTimeMs: number;
  /** Liveness check after this long without an authenticated message or packet from the peer; 0: none. */
  readonly dpdDelayMs: number;
  /** What a new IKE SA with the same identities does to the old one. */
  readonly unique: 'replace' | 'keep' | 'never';
  /** Pause before an IKE SA that must be up is tried again after a failure; doubles up to ten times this. */
  readonly retryMs: number;
}

export interface LocalPeer {
  /** `undefined`: our address, which only a pre-shared key can go with. */
  readonly id: Identity | undefined;
  readonly auth: LocalAuth;
  /** Our user, whom XAuth of IKEv1 asks for. */
  readonly xauth: XauthClient | undefined;
}

export interface RemotePeer {
  /** `undefined`: any identity. */
  readonly id: Identity | undefined;
  readonly auth: RemoteAuth;
  /** The users of whom the peer must be one, by XAuth of IKEv1. */
  readonly xauth: XauthServer | undefined;
}

/** How we prove who we are. */
export type LocalAuth = PskAuth | SigningAuth | NoAuth;
/** How the peer must prove who it is. */
export type RemoteAuth = PskAuth | (TrustPolicy & { readonly kind: 'signature' }) | NoAuth;

export interface PskAuth {
  readonly kind: 'psk';
  /** Empty where the connection has nothing but shunts: such a one takes part in no negotiation. */
  readonly psk: Uint8Array;
}

export interface SigningAuth {
  readonly kind: 'signature';
  readonly key: SigningKey;
  /** Our certificate and what leads from it to a CA; empty where the peer knows our key. */
  readonly chain: readonly Certificate[];
  /** Names of signature schemes, best first; empty: the usual ones of the key. */
  readonly signatures: readonly string[];
  readonly allowSha1: boolean;
}

/** In phase 1 of IKEv1 alone, and only where XAuth follows (hybrid authentication). */
export interface NoAuth {
  readonly kind: 'none';
}

export interface XauthClient {
  readonly username: string;
  readonly password: string;
}

export interface XauthServer {
  /** Passwords by name. */
  readonly users: Readonly<Record<string, string>>;
  /** Asked about users who are not among `users`. */
  readonly check: XauthCheck | undefined;
}

/** Whether a user may come in. It is the program's: it may take its time, and throw. */
export type XauthCheck = (username: string, password: string) => Promise<boolean>;

/** An identity as it is on the wire (RFC 7296 §3.5): type number and octets, with the text it was written as. */
export interface Identity {
  readonly idType: number;
  readonly data: Uint8Array;
  readonly text: string;
  /** It is a pattern, and stands for nobody. */
  readonly wildcard?: true;
}

/** One proposal: for each kind of transform the choices, best first. A kind without a choice is not offered. */
export interface ProposalConfig {
  readonly text: string;
  readonly encr: readonly Extract<Algorithm, { kind: 'encr' }>[];
  readonly prf: readonly Extract<Algorithm, { kind: 'prf' }>[];
  readonly integ: readonly Extract<Algorithm, { kind: 'integ' }>[];
  readonly ke: readonly Extract<Algorithm, { kind: 'ke' }>[];
  readonly esn: readonly Extract<Algorithm, { kind: 'esn' }>[];
}

export interface ChildConfig {
  readonly name: string;
  /** Empty: the connection's own outer address, known when the IKE SA is (`dynamic` in swanctl). */
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  readonly protocol: 'esp' | 'ah';
  readonly proposals: readonly ProposalConfig[];
  /** AH that goes around ESP (IKEv1); empty: none does. */
  readonly around: readonly ProposalConfig[];
  /** What is asked for; a peer may answer `transport` with tunnel mode (RFC 7296 §1.3.1). */
  readonly mode: 'tunnel' | 'transport';
  /** `start`: up as long as the gateway runs. `trap`: up when a packet asks. */
  readonly start: 'none' | 'start' | 'trap';
  readonly rekeyTimeMs: number;
  readonly rekeyJitterMs: number;
  /** Hard end of a Child SA that was not rekeyed in time; 0: none. */
  readonly lifeTimeMs: number;
  readonly dpdAction: 'clear' | 'trap' | 'restart';
  /** After the peer deleted it. */
  readonly closeAction: 'none' | 'trap' | 'start';
  readonly replayWindow: number;
  /** By what is carried, in each direction. */
  readonly bytes: VolumeLimits;
  readonly packets: VolumeLimits;
  /** Inner packets are padded up to this many bytes; 0: not. */
  readonly tfcPaddingBytes: number;
  readonly header: OuterHeader;
  /** What only a kernel can do; undefined: nothing. */
  readonly kernel: KernelOptions | undefined;
}

/** 0 turns a limit off. Rekeying starts at `rekey` less a random part of `jitter`; at `life` the SA ends. */
export interface VolumeLimits {
  readonly rekey: number;
  readonly jitter: number;
  readonly life: number;
}

/** RFC 4301 §4.4.1: traffic that passes in clear (`pass`), or does not pass (`drop`). */
export interface ShuntConfig {
  readonly name: string;
  /** Empty: the connection's own outer address. */
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  readonly mode: 'pass' | 'drop';
  /** Whether the policy is installed while the gateway runs. */
  readonly installed: boolean;
  readonly kernel: KernelOptions | undefined;
}
