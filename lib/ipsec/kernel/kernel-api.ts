// What a kernel that does IPsec is asked and tells, in the terms that XFRM netlink and PF_KEY share. Two drivers implement it; the plane
// (plane.ts) decides what SAs and policies are. Nothing throws and nothing blocks: every answer comes later, failures as values.

import type { XfrmInterface } from '../../config/notation.ts';
import type { EncryptionAlgorithm, IntegrityAlgorithm } from '../../crypto/algorithms.ts';
import type { Result } from '../../errors.ts';
import type { PacketSummary, SaSuite } from '../data-plane.ts';

/** What the kernel said no with. */
export interface KernelFailure {
  /** `EEXIST`, `ENOSYS`, ...; `ETIMEDOUT` when it never answered, `ECANCELED` when the driver was closed before it did. */
  readonly errno: string;
  /** The kernel's own words (extended acknowledgement), where it has some; else empty. */
  readonly detail: string;
}

export type KernelAnswer<T = undefined> = Promise<Result<T, KernelFailure>>;

/** All addresses are 4 or 16 bytes in network order, all ports and SPIs numbers. */
export interface KernelApi {
  readonly name: 'xfrm' | 'pfkey';
  /** Whether the interface has a name for such SAs. Whether this kernel has the code is known only when one is added. */
  expresses(suite: SaSuite): boolean;
  /**
   * What it cannot say of an SA or policy beyond that: the first option, by its name in the configuration, and why; undefined: all can be
   * said.
   */
  inexpressible(wanted: KernelWishes): string | undefined;

  /** Set once, before anything else. Called on the event loop, never from within another call. */
  onEvent(listener: (event: KernelEvent) => void): void;

  /** Reserves an inbound SPI between the two addresses; the kernel forgets it by itself after half a minute or so. */
  allocateSpi(wanted: SpiRequest): KernelAnswer<number>;
  /** `reserved`: the SPI may have come from `allocateSpi`. The driver has no use for the keys after it returned. */
  addSa(sa: KernelSa, reserved: boolean): KernelAnswer;
  /** New outer addresses and UDP ports; window, sequence number and keys stay. ENOTSUP: this SA has to be replaced by negotiation. */
  moveSa(sa: SaKey, path: KernelPath): KernelAnswer;
  deleteSa(sa: SaKey): KernelAnswer;
  querySa(sa: SaKey): KernelAnswer<KernelSaState>;
  /** All SAs of the network namespace, whoever made them, without keys. */
  dumpSas(): KernelAnswer<readonly KernelSaState[]>;

  /** Adds the policy, or changes the one with these selectors, this direction, mark and interface id. */
  setPolicy(policy: KernelPolicy): KernelAnswer;
  deletePolicy(policy: PolicyKey): KernelAnswer;
  dumpPolicies(): KernelAnswer<readonly KernelPolicy[]>;

  /** Makes an interface for what is routed to the policies with its id; it goes with `close`. Throws a SystemError. XFRM alone has such. */
  openInterface?(wanted: XfrmInterface): void;

  /** Removes all SAs and policies of the network namespace, whoever made them. */
  flush(): KernelAnswer;

  /** What has gone wrong below: `truncated`, `foreign`, `lost-events`, ... */
  counts(): Readonly<Record<string, number>>;
  /** Answers what still waits with ECANCELED. Removes no SA or policy from the kernel. */
  close(): Promise<void>;
}

/** What an SA is known by in the kernel. `mark` is part of it: two SAs that differ in their mark alone are two. */
export interface SaKey {
  readonly protocol: 'esp' | 'ah';
  readonly spi: number;
  /** Ours for an inbound SA, the peer's for an outbound one; so is `source`, the other way round. */
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly mark?: Mark;
}

export interface SpiRequest {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport' | 'beet';
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly reqid: number;
}

/** A packet's mark `m` fits when `(m & mask) === value`. */
export interface Mark {
  readonly value: number;
  readonly mask: number;
}

export interface KernelPath {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Absent without encapsulation. */
  readonly encapsulation?: Encapsulation;
}

/** `udp`: RFC 3948; `tcp`: RFC 9329, where the kernel has espintcp. */
export interface Encapsulation {
  readonly type: 'udp' | 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** What a child asks of the kernel beyond what the peer has to agree to. Absent: the kernel's default. */
export interface KernelOptions {
  /** The xfrm interface that it belongs to. */
  readonly ifIdIn?: number;
  readonly ifIdOut?: number;
  /** Packets must have this mark to be taken by the policy and by the SA. */
  readonly markIn?: Mark;
  readonly markOut?: Mark;
  /** The mark that packets get: after decryption (`in`), the encrypted ones (`out`). */
  readonly setMarkIn?: Mark;
  readonly setMarkOut?: Mark;
  /** The inbound SA, too, takes only packets with `markIn`; else the policies alone do. */
  readonly markInSa?: boolean;
  /** `auto`: the device does the cryptography where it can; `yes`: or the SA is refused. */
  readonly hwOffload?: 'no' | 'auto' | 'yes';
}

/** All of a child that an interface to a kernel may have no words for. */
export interface KernelWishes extends KernelOptions {
  /** Packets. */
  readonly replayWindow?: number;
  readonly esn?: boolean;
  /** `tfcPadding`. */
  readonly tfcBytes?: number;
  readonly copyDscp?: 'out' | 'in' | 'yes' | 'no';
  readonly copyEcn?: boolean;
}

export interface KernelSa extends SaKey, KernelPath {
  readonly direction: 'in' | 'out';
  readonly mode: 'tunnel' | 'transport' | 'beet';
  readonly reqid: number;
  /** Absent with AH. Keys as in `SaParameters`: key, then salt. */
  readonly encryption?: EncryptionAlgorithm;
  readonly encryptionKey?: Uint8Array;
  /** Absent with an AEAD. */
  readonly integrity?: IntegrityAlgorithm;
  readonly integrityKey?: Uint8Array;
  readonly esn: boolean;
  /** Packets; 0: no replay protection. */
  readonly replayWindow: number;
  /** The packets it may carry, as they are inside; absent: what its policies say. */
  readonly selector?: KernelSelector;
  readonly limits: KernelLimits;
  /** Tunnel mode. */
  readonly copyDscp: 'out' | 'in' | 'yes' | 'no';
  readonly ecn: boolean;
  /** 0: no padding. */
  readonly tfcBytes: number;
  readonly ifId?: number;
  readonly setMark?: Mark;
  readonly hwOffload: 'no' | 'auto' | 'yes';
}

/** 0: no such limit. Seconds since the SA was added. */
export interface KernelLimits {
  readonly softBytes: number;
  readonly hardBytes: number;
  readonly softPackets: number;
  readonly hardPackets: number;
  readonly softSeconds: number;
  readonly hardSeconds: number;
}

/** An SA as the kernel has it. */
export interface KernelSaState extends SaKey {
  readonly mode: 'tunnel' | 'transport' | 'beet' | 'other';
  readonly reqid: number;
  /** An SPI that is only reserved, or a packet's cry for an SA. */
  readonly larval: boolean;
  readonly packets: number;
  readonly bytes: number;
  /** The highest sequence number sent or accepted; 0 where the interface does not tell. */
  readonly sequence: number;
  /** Seconds since 1970 of the last packet; undefined where the kernel does not tell, 0: there was none. */
  readonly lastUsedSeconds: number | undefined;
  readonly replayDrops: number;
  readonly integrityDrops: number;
  readonly limits: KernelLimits;
}

/** Addresses with prefix lengths, ports with masks (mask 0: any). ICMP: the type is the source port, the code the destination port. */
export interface KernelSelector {
  readonly source: Uint8Array;
  readonly sourceBits: number;
  readonly destination: Uint8Array;
  readonly destinationBits: number;
  /** 0: any. */
  readonly protocol: number;
  readonly sourcePort: number;
  readonly sourcePortMask: number;
  readonly destinationPort: number;
  readonly destinationPortMask: number;
}

export interface PolicyKey {
  readonly direction: 'in' | 'out' | 'fwd';
  readonly selector: KernelSelector;
  readonly mark?: Mark;
  readonly ifId?: number;
}

export interface KernelPolicy extends PolicyKey {
  /**
   * By which the gateway knows its own policies after it was killed, 1 to 65,535 beside `KernelOwner.reqid`; of a dumped policy 0 when
   * it is somebody else's.
   */
  readonly number: number;
  /** With `allow` and no templates packets pass in clear. */
  readonly action: 'allow' | 'block';
  /** Lower wins. */
  readonly priority: number;
  /** The SAs that packets need, innermost first. */
  readonly templates: readonly KernelTemplate[];
}

export interface KernelTemplate {
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport' | 'beet';
  /** Of tunnel mode; absent: the packet's own. */
  readonly source?: Uint8Array;
  readonly destination?: Uint8Array;
  readonly reqid: number;
}

/** Whose SAs and policies are whose: those with reqids from `reqid` to `reqid + 65535` are this gateway's. */
export interface KernelOwner {
  readonly reqid: number;
}

export type KernelEvent =
  /** A packet met a policy whose template has this reqid, and there is no SA. PF_KEY does not tell which packet. */
  | { readonly type: 'acquire'; readonly reqid: number; readonly packet?: PacketSummary }
  /** After a hard one the kernel has the SA no more. */
  | { readonly type: 'expire'; readonly sa: SaKey; readonly hard: boolean }
  /** An authenticated packet in UDP came from elsewhere. */
  | {
      readonly type: 'mapping';
      readonly sa: SaKey;
      readonly newSource: Uint8Array;
      readonly newSourcePort: number;
    }
  /** The kernel had more to tell than there was room for: what is there has to be looked at. */
  | { readonly type: 'lost' };
