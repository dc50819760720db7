// The addon as TypeScript sees it, and the search for its file: the path in IKE_NATIVE_ADDON, a prebuilt one for this platform,
// the local build. What addon/napi/ exports is typed here and nowhere else.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SystemError } from '../../errors.ts';
import type { OuterHeader, PacketSummary, Policy, SaLimits, WorkerStats } from '../data-plane.ts';
import type { NativeXfrm, NativeXfrmCallback, NativeXfrmReply } from '../kernel/xfrm-native.ts';
import type { TrafficSelector } from '../selector.ts';

/** Compiled, this file lies in dist/lib/ipsec/engine/, in a checkout as in the published package. */
const PACKAGE_ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** All addresses are 4 or 16 bytes in network order. Wrong arguments throw with `code` ERR_IKE_ARGUMENT. */
export interface NativeAddon {
  readonly Engine: new (config: NativeConfig, callback: NativeCallback) => NativeEngine;
  /** The kernel's XFRM. Throws ERR_IKE_PRIVILEGE, ERR_IKE_NO_XFRM or ERR_IKE_SYSTEM. */
  readonly Xfrm: new (
    callback: NativeXfrmCallback,
  ) => NativeXfrm;
  /** For tests: the bytes of the request that a method of NativeXfrm makes of these arguments; `moveSa` takes what the kernel shows. */
  xfrmRequest(method: string, ...args: readonly unknown[]): Uint8Array;
  /** For tests: what the messages of a buffer say. */
  xfrmReplies(bytes: Uint8Array): NativeXfrmReply[];
  /** One SA without sockets; `sequenceHigh` and `sequenceLow`: the last number used. `kernel`: what computes AES-GCM. */
  readonly EspCodec: new (
    sa: NativeSa,
    sequenceHigh?: number,
    sequenceLow?: number,
    kernel?: string,
  ) => NativeEspCodec;
  /** Both halves of the core without sockets, devices or threads, for tests and benchmarks. */
  readonly CoreBench: new () => NativeCoreBench;
  /**
   * For tests: the packets that a packet of the TUN device stands for, `header` being its virtio_net_hdr; undefined where they
   * disagree.
   */
  splitPacket(header: Uint8Array, packet: Uint8Array): Uint8Array[] | undefined;
  /** For tests: what would be written to the TUN device for these inner packets, each behind its virtio_net_hdr. */
  joinPackets(packets: readonly Uint8Array[]): Uint8Array[];
  /** One AES-GCM kernel by itself, for tests and benchmarks; not `evp`. */
  readonly GcmCipher: new (
    kernel: string,
    key: Uint8Array,
    icvBytes: number,
  ) => NativeGcmCipher;
  /** The AES-GCM kernels that run here, fastest first: `vaes512`, `vaes256`, `aesni`, `armv8`; `evp` is always the last. */
  gcmKernels(): string[];
  /**
   * A packet encrypted and authenticated by OpenSSL alone, for benchmarks: an AEAD by OpenSSL's name, or a cipher and HMAC with a
   * digest; contexts made for each round or kept.
   */
  baselineEvp(
    cipher: string,
    key: Uint8Array,
    digest: string | undefined,
    macKey: Uint8Array,
    packet: Uint8Array,
    rounds: number,
    seal: boolean,
    keepContext: boolean,
  ): void;
}

export interface NativeConfig {
  readonly addresses: readonly Uint8Array[];
  readonly port: number;
  readonly nattPort: number;
  readonly tunName: string;
  readonly mtu: number;
  readonly installRoutes: boolean;
  readonly table: number;
  readonly priority: number;
  readonly mark: number;
  readonly heldPackets: number;
  /** Whether the kernel's segmentation, joining and checksum offloads are used. */
  readonly offloads: boolean;
  /** Threads in each direction, 1 to 16. */
  readonly workers: number;
  readonly busyPollMs: number;
  /** Whether SYNs promise no more than the tunnel carries. */
  readonly clampMss: boolean;
}

export type NativeCallback = (datagrams: readonly NativeDatagram[], events: readonly NativeEvent[]) => void;

export interface NativeDatagram {
  readonly local: Uint8Array;
  readonly localPort: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
  readonly natt: boolean;
  readonly data: Uint8Array;
}

export type NativeEvent =
  | { readonly type: 'acquire'; readonly id: number; readonly packet: PacketSummary }
  | { readonly type: 'expire'; readonly id: number; readonly hard: boolean }
  | {
      readonly type: 'mapping';
      readonly id: number;
      readonly remote: Uint8Array;
      readonly remotePort: number;
    }
  /** The device was removed by somebody else. */
  | { readonly type: 'tun-lost'; readonly id: number };

export interface NativeEndpoint {
  readonly address: Uint8Array;
  readonly port: number;
}

export interface NativeSa {
  readonly id: number;
  readonly direction: 'in' | 'out';
  readonly protocol: 'esp' | 'ah';
  readonly mode: 'tunnel' | 'transport';
  readonly spi: number;
  readonly policyId: number;
  readonly local: NativeEndpoint;
  readonly remote: NativeEndpoint;
  readonly udpEncapsulation: boolean;
  /** IKEv2 transform ids; 0 and an empty key with AH. */
  readonly encryption: number;
  readonly encryptionKey: Uint8Array;
  /** 0 and an empty key with an AEAD. */
  readonly integrity: number;
  readonly integrityKey: Uint8Array;
  readonly esn: boolean;
  readonly replayWindow: number;
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  /** 0: none. At most 2^53 - 1. */
  readonly limits: Required<SaLimits>;
  readonly copyDscp: OuterHeader['copyDscp'];
  readonly ecn: boolean;
  readonly tfcBytes: number;
  /** 0: none. */
  readonly outerSaId: number;
}

export interface NativePolicy {
  readonly id: number;
  readonly kind: Policy['kind'];
  readonly priority: number;
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
}

export interface NativeSaCounters {
  readonly packets: number;
  readonly bytes: number;
  readonly sequence: number;
  readonly replayDrops: number;
  readonly integrityDrops: number;
  readonly selectorDrops: number;
  /** Since the last packet; -1: there was none. */
  readonly idleMs: number;
}

export interface NativeStats {
  readonly packetsIn: number;
  readonly packetsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly bypassed: number;
  readonly drops: Record<string, number>;
  /** Those of the inbound direction first. */
  readonly workers: WorkerStats[];
}

/** Throws errors with a `code` of its own where a command fails, ERR_IKE_CLOSED after the last half was closed. */
export interface NativeEngine {
  ports(): { ike: number; natt: number };
  /** Why there is no ESP without UDP, and no AH; undefined: there is. */
  udpOnly(): string | undefined;
  /** Wildcard addresses that the host cannot bind. */
  warnings(): string[];
  send(local: Uint8Array, remote: Uint8Array, remotePort: number, natt: boolean, data: Uint8Array): void;
  localAddressFor(remote: Uint8Array, port: number): Uint8Array;
  allocateSpi(): number;
  releaseSpi(spi: number): void;
  addSa(sa: NativeSa): void;
  updateSa(id: number, local: NativeEndpoint, remote: NativeEndpoint): void;
  deleteSa(id: number): void;
  querySa(id: number): NativeSaCounters | undefined;
  addPolicy(policy: NativePolicy): void;
  deletePolicy(id: number): void;
  addAddress(address: Uint8Array): void;
  removeAddress(address: Uint8Array): void;
  stats(): NativeStats;
  /** Why packets of bypass policies are dropped; empty when they leave. */
  bypassRefusal(): string;
  /** Throws ERR_IKE_EXISTS while one of that side runs, ERR_IKE_CAPTURE when the file cannot be made. */
  startCapture(side: 'inner' | 'outer', path: string, maxBytes: number, snapBytes: number): void;
  /** Zeros when none runs. */
  stopCapture(side: 'inner' | 'outer'): { packets: number; missed: number };
  closeTunnel(): void;
  closeSockets(): void;
}

export interface NativeEspCodec {
  /** For each packet what became of it, or the name of the cause of its drop. Without UDP: complete IP packets. */
  seal(packets: readonly Uint8Array[]): (Uint8Array | string)[];
  /**
   * `tos`: DSCP and ECN of the outer header, where that is the socket's. `viaSaId`: the AH SA that the packets came out of. What AH
   * leaves with ESP in it is the whole IP packet.
   */
  open(packets: readonly Uint8Array[], tos?: number, viaSaId?: number): (Uint8Array | string)[];
  /** The same packet, or several in turn, until there were `rounds`, in batches, results thrown away; throws at the first drop. */
  sealRepeatedly(packets: Uint8Array | readonly Uint8Array[], rounds: number): void;
  openRepeatedly(packets: Uint8Array | readonly Uint8Array[], rounds: number): void;
  /** `tos`: DSCP and ECN of the outer header of the last packet. */
  counters(): Omit<NativeSaCounters, 'idleMs'> & { readonly tos: number };
  takeExpiry(): 'none' | 'soft' | 'hard';
}

/** Where a message lies in memory: so far behind a page that may not be touched, or straight before one; opened where it lies or not. */
export interface GcmPlacing {
  readonly offset: number;
  readonly atEnd: boolean;
  readonly inPlace: boolean;
}

/** Throws ERR_IKE_OVERRUN when a byte around the buffers was changed. */
export interface NativeGcmCipher {
  /** Ciphertext and ICV. */
  seal(nonce: Uint8Array, aad: Uint8Array, text: Uint8Array, placing: GcmPlacing): Uint8Array;
  /** Undefined when the ICV is wrong. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, placing: GcmPlacing): Uint8Array | undefined;
  /** Zeros of that length, in batches. */
  sealRepeatedly(textBytes: number, rounds: number): void;
  openRepeatedly(textBytes: number, rounds: number): void;
}

/** Where the addon may lie, best first. */
export function addonPaths(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  const given = environment['IKE_NATIVE_ADDON'];
  if (given !== undefined && given !== '') return [given];
  return [
    join(PACKAGE_ROOT, 'prebuilds', `${process.platform}-${process.arch}`, 'ike_native.node'),
    join(PACKAGE_ROOT, 'build', 'Release', 'ike_native.node'),
  ];
}

/** Loads the addon. Throws a SystemError with `code` ERR_IKE_NO_ADDON that says where it was looked for and why it did not load. */
export function loadAddon(): NativeAddon {
  const paths = addonPaths();
  const path = paths.find((candidate) => existsSync(candidate));
  const advice =
    "Build it with 'npm rebuild ike-native' (needs g++, make and python3), or use dataPlane 'portable'";
  if (path === undefined)
    throw new SystemError('ERR_IKE_NO_ADDON', `the C++ engine is not there: ${paths.join(', ')}. ${advice}`);
  try {
    // Not require(): that would run a file without the suffix .node as JavaScript.
    const loaded: { exports: unknown } = { exports: {} };
    process.dlopen(loaded, path);
    return loaded.exports as NativeAddon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError('ERR_IKE_NO_ADDON', `${path} does not load: ${reason}. ${advice}`, { cause });
  }
}

/** Databases and the way of packets through them. */
export interface NativeCoreBench {
  addSa(sa: NativeSa): void;
  deleteSa(id: number): void;
  addPolicy(policy: NativePolicy): void;
  deletePolicy(id: number): void;
  /** What became of each packet: itself, `bypass`, or the cause of its drop. */
  outbound(packets: readonly Uint8Array[]): (Uint8Array | string)[];
  inbound(packets: readonly Uint8Array[]): (Uint8Array | string)[];
  /** Adds SAs in both directions with AES-GCM, shared out among the policies; once until `depopulate`. Per policy and per pair. */
  populate(
    pairs: number,
    policies: number,
    window: number,
  ): {
    policyNs: number;
    /** With `scheduleNs`, which is what the keys take. */
    pairNs: number;
    scheduleNs: number;
    policyBytes: number;
    pairBytes: number;
  };
  /** Nanoseconds a packet: lookup and sealing, lookup and opening. `spread`: each packet for another SA. */
  run(packetBytes: number, packets: number, spread: boolean): { sealNs: number; openNs: number };
  depopulate(): { pairNs: number; policyNs: number };
}
