// The data plane as the negotiation sees it: SPIs, SAs and policies go in, rare events come out. Traffic never passes here.
// Drivers: engine (C++), portable (WASM over node:dgram), memory (tests and simulation), xfrm and pfkey (the host's kernel).
// Calls that a kernel would answer later take a `done` callback; a driver may call it before it returns.

import type { EncryptionAlgorithm, IntegrityAlgorithm } from '../crypto/algorithms.ts';
import type { ErrorInfo, Result } from '../errors.ts';
import type { Endpoint } from '../net/address.ts';
import type { KernelOptions, KernelWishes } from './kernel/kernel-api.ts';
import type { TrafficSelector } from './selector.ts';

export interface DataPlane {
  readonly name: 'engine' | 'portable' | 'memory' | 'xfrm' | 'pfkey';
  /** True where ESP travels only inside UDP: the negotiation then asks for encapsulation as if a NAT were there. */
  readonly udpEncapsulationOnly: boolean;
  /** True where ESP in tunnel mode is faster inside UDP: asked for unless the configuration says otherwise. */
  readonly prefersUdpEncapsulation?: boolean;

  /** Whether such SAs can be installed; asked for every proposal of every child before a gateway starts. */
  supports(suite: SaSuite): boolean;
  /** Why not, and what to do about it, where the plane knows more than that it has none. */
  refusal?(suite: SaSuite): string | undefined;
  /** Which of a child's other options it cannot do, and why; undefined: none. Planes without this do none of {@link KernelOptions}. */
  lacks?(wishes: KernelWishes): string | undefined;

  /** Where events go. Set once, before anything else. */
  onEvent(listener: (event: DataPlaneEvent) => void): void;

  /**
   * Reserves an inbound SPI (256 to 2^32-1) that no inbound SA of this host has. Freed by `releaseSpi` or `deleteSa`. `wanted`: what it
   * will be for, where a plane keeps its SPIs in a kernel.
   */
  allocateSpi(done: (result: Result<number>) => void, wanted?: WantedSa): void;
  releaseSpi(spi: number): void;

  /**
   * Installs one direction of a Child SA. Inbound SAs are keyed by `spi` alone, outbound ones by `id`. The newest outbound
   * SA of a policy carries its traffic; when that is deleted the one before it does.
   */
  addSa(sa: SaParameters, done: (error?: ErrorInfo) => void): void;
  /** Changes the outer addresses of an SA (NAT mapping, path change). Keys, counters and window stay. */
  updateSa(id: number, path: { readonly local: Endpoint; readonly remote: Endpoint }): void;
  /** Removes an SA and wipes its keys. Unknown ids are ignored. */
  deleteSa(id: number): void;
  /** Counters of an installed SA, undefined when there is none. */
  querySa(id: number): SaCounters | undefined;

  /** Adds a policy with its routes. Packets that match none of the policies are not ours: never sent in clear from the TUN device. */
  addPolicy(policy: Policy, done: (error?: ErrorInfo) => void): void;
  deletePolicy(id: number): void;

  /**
   * Puts an inner address of ours, which a peer has given us, where traffic for the tunnels leaves from, and takes it away again. Absent
   * where there is no device: the program knows the address then.
   */
  addAddress?(address: string, done: (error?: ErrorInfo) => void): void;
  removeAddress?(address: string): void;

  /** Sums over all SAs, and drops by cause. */
  stats(): DataPlaneStats;

  /** Removes every SA, policy, route and device that this instance made. */
  close(): Promise<void>;
}

/** The SA that an SPI is for, as far as that is known before the peer has answered. */
export interface WantedSa {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  /** Addresses. */
  readonly local: string;
  readonly remote: string;
}

/** What an SA does to packets, as far as a data plane may not have it. */
export interface SaSuite {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  /** Absent with AH. */
  readonly encryption?: EncryptionAlgorithm | undefined;
  /** Absent with an AEAD. */
  readonly integrity?: IntegrityAlgorithm | undefined;
}

export type SaParameters = EspParameters | AhParameters;

export interface EspParameters extends SaBasics {
  readonly protocol: 'esp';
  readonly encryption: EncryptionAlgorithm;
  /** `keyBits / 8 + saltBytes` bytes: key, then salt. The driver copies it. */
  readonly encryptionKey: Uint8Array;
  /** Absent with an AEAD. */
  readonly integrity?: IntegrityAlgorithm;
  readonly integrityKey?: Uint8Array;
}

/** RFC 4302. */
export interface AhParameters extends SaBasics {
  readonly protocol: 'ah';
  readonly encryption?: undefined;
  readonly encryptionKey?: undefined;
  readonly integrity: IntegrityAlgorithm;
  readonly integrityKey: Uint8Array;
}

interface SaBasics {
  /** Chosen by the negotiation, unique in the gateway for both directions. */
  readonly id: number;
  readonly direction: 'in' | 'out';
  /** Transport: the packet keeps its IP header, whose addresses are the outer ones (RFC 4301 §4.1). */
  readonly mode: 'tunnel' | 'transport';
  /** The SPI in the packets: ours for `in`, the peer's for `out`. */
  readonly spi: number;
  /** The policy that this SA serves; 0: none, for an AH SA that only goes around others. */
  readonly policyId: number;
  /** Outer addresses; UDP ports when `udpEncapsulation`. */
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** ESP in UDP (RFC 3948), else IP protocol 50 or 51. Never with AH. */
  readonly udpEncapsulation: boolean;
  /** Extended (64-bit) sequence numbers (RFC 4303 §2.2.1). */
  readonly esn: boolean;
  /** Packets, at most 65,536; 0 turns replay protection off. Inbound only. */
  readonly replayWindow: number;
  /** Inner packets of this SA: source in `localTs` and destination in `remoteTs` for `out`, the reverse for `in`. */
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  /** When it is spent by what it carries; absent: never. */
  readonly limits?: SaLimits;
  /** Outer header of tunnel mode; absent: DSCP copied out but not in, ECN by RFC 6040. */
  readonly header?: OuterHeader;
  /** Outbound tunnel mode: inner packets are padded up to this many bytes (RFC 4303 §2.7); absent or 0: not. */
  readonly tfcBytes?: number;
  /**
   * An SA bundle (RFC 2401 §4.3): the id, in this direction, of the AH SA in transport mode that goes around this ESP SA. Its packets
   * get AH outside, and inbound ones that did not come through it are dropped. That SA must be installed before this one.
   */
  readonly outerSaId?: number;
  /** Seconds after which a kernel ends it even if nobody is there any more to do so; absent: never. */
  readonly lifeSeconds?: number;
  /** What is asked of a kernel alone. */
  readonly kernel?: KernelOptions;
}

/** 0 or absent: no such limit. A soft limit raises `expire`, a hard one also stops the SA, exact to one batch of packets. Bytes are those of inner packets. */
export interface SaLimits {
  readonly softBytes?: number;
  readonly hardBytes?: number;
  readonly softPackets?: number;
  readonly hardPackets?: number;
}

export interface OuterHeader {
  /** Copies the DSCP from inner to outer header (`out`), from outer to inner (`in`), both or neither (RFC 4301 §5.1.2). */
  readonly copyDscp: 'out' | 'in' | 'yes' | 'no';
  /** RFC 6040 normal mode; false: outer ECN is always Not-ECT and ignored (RFC 6040 §4.1 compatibility mode). */
  readonly ecn: boolean;
}

/**
 * An outbound policy: inner packets from `localTs` to `remoteTs` belong to it. With an SA (see `addSa`) they are encrypted.
 * Without one, `trap` holds the first packets and raises `acquire`; `protect` drops and counts them. `bypass` lets its packets leave
 * as they are, past the tunnel, and `discard` drops and counts them; neither has SAs (RFC 4301 §4.4.1).
 */
export interface Policy {
  readonly id: number;
  readonly kind: 'protect' | 'trap' | 'bypass' | 'discard';
  /** Lower wins. A Child SA's own selectors stand before the trap that brought it up. */
  readonly priority: number;
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  /** Of a trap: the SA that it will ask for, which a kernel writes into the policy. */
  readonly wanted?: WantedSa;
  /** What is asked of a kernel alone. */
  readonly kernel?: KernelOptions;
}

/** A packet in selector form: what a trap saw. */
export interface PacketSummary {
  readonly protocol: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** 0 where the protocol has none. ICMP: type and code as selectors hold them, in `sourcePort`. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

export type DataPlaneEvent =
  /**
   * A held packet wants an SA. Raised once per policy until an SA comes or `releaseHeld` time has passed. `packet` is undefined where a
   * kernel does not tell it.
   */
  | { readonly type: 'acquire'; readonly policyId: number; readonly packet: PacketSummary | undefined }
  /** The sequence number or one of the SA's limits is near its end (soft) or spent (hard: the SA carries nothing any more). */
  | { readonly type: 'expire'; readonly saId: number; readonly hard: boolean }
  /** An authenticated packet came from a new outer address (RFC 7296 §2.23). */
  | { readonly type: 'mapping'; readonly saId: number; readonly remote: Endpoint };

export interface SaCounters {
  readonly packets: number;
  readonly bytes: number;
  /** The highest sequence number sent or accepted. */
  readonly sequence: number;
  /** Milliseconds on the runtime's clock of the last packet; 0 when there was none. */
  readonly lastUsedMs: number;
  /** Inbound packets that failed, by cause. */
  readonly replayDrops: number;
  readonly integrityDrops: number;
  readonly selectorDrops: number;
}

export interface DataPlaneStats {
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Packets that left unprotected by bypass policies (engine). */
  readonly bypassed?: number;
  /**
   * Dropped packets by cause (`no-sa`, `replay`, `integrity`, `selector`, `no-policy`, `held-overflow`, `malformed`, ...). XFRM: those of the
   * whole network namespace since the gateway began, and what was amiss with the kernel's messages.
   */
  readonly drops: Readonly<Record<string, number>>;
  /** The engine's threads, where there are any. */
  readonly workers?: readonly WorkerStats[];
}

/** What one thread has done. */
export interface WorkerStats {
  /** `in-0`, `out-0`, `out-1`, ... */
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
  readonly batches: number;
  readonly drops: number;
}
