// XFRM as the addon has it (addon/napi/xfrm-object.cc): the types of kernel-api.ts with the kernel's names for algorithms. Each request
// gives a number at once, and its answer comes by the callback. Wrong arguments throw with `code` ERR_IKE_ARGUMENT.

import type {
  Encapsulation,
  KernelEvent,
  KernelPath,
  KernelPolicy,
  KernelSa,
  KernelSaState,
  KernelSelector,
  PolicyKey,
  SaKey,
  SpiRequest,
} from './kernel-api.ts';

export interface NativeAlgorithm {
  /** `rfc4106(gcm(aes))`. */
  readonly name: string;
  /** Key, then salt. */
  readonly key: Uint8Array;
  /** 0 for a cipher that is no AEAD. */
  readonly icvBits: number;
}

export interface NativeXfrmSa extends Omit<KernelSa, 'encryption' | 'integrity'> {
  readonly aead?: NativeAlgorithm;
  readonly cipher?: NativeAlgorithm;
  readonly integrity?: NativeAlgorithm;
  readonly encapsulation?: Encapsulation;
}

/** `offloaded`: the device does its cryptography. */
export interface NativeXfrmSaState extends KernelSaState {
  readonly offloaded: boolean;
}

/** `index`: the kernel's number; its lowest three bits are the direction. */
export interface NativeXfrmPolicy extends Omit<KernelPolicy, 'number'> {
  readonly index: number;
}

export interface NativeXfrmAnswer {
  readonly sequence: number;
  /** errno; 0: it went well. */
  readonly error: number;
  readonly detail: string;
  readonly sas: readonly NativeXfrmSaState[];
  readonly policies: readonly NativeXfrmPolicy[];
}

export type NativeXfrmEvent =
  | Extract<KernelEvent, { readonly type: 'expire' | 'mapping' | 'lost' }>
  /** The selector is that of one packet. */
  | { readonly type: 'acquire'; readonly reqid: number; readonly packet: KernelSelector }
  | { readonly type: 'report'; readonly protocol: number; readonly packet: KernelSelector };

export type NativeXfrmCallback = (
  answers: readonly NativeXfrmAnswer[],
  events: readonly NativeXfrmEvent[],
) => void;

/** 0 in place of a request's number: too many wait. After `close` every method throws ERR_IKE_CLOSED. */
export interface NativeXfrm {
  /** `offload`: by the device that has our address. */
  addSa(sa: NativeXfrmSa, update: boolean, inbound: boolean, offload: boolean): number;
  moveSa(sa: SaKey, path: KernelPath): number;
  getSa(sa: SaKey): number;
  deleteSa(sa: SaKey): number;
  allocateSpi(wanted: SpiRequest): number;
  dumpSas(): number;
  flushSas(): number;
  setPolicy(policy: NativeXfrmPolicy): number;
  deletePolicy(policy: PolicyKey): number;
  dumpPolicies(): number;
  flushPolicies(): number;
  /**
   * Waits for the kernel. Throws ERR_IKE_NO_XFRM where it has no such interfaces, ERR_IKE_EXISTS where the name or the id is something
   * else's, ERR_IKE_SYSTEM.
   */
  openInterface(name: string, ifId: number, device?: string): void;
  closeInterface(name: string): void;
  counts(): Record<string, number>;
  /** What is not answered then never is. */
  close(): void;
}

/** What one message of the kernel says. */
export interface NativeXfrmReply {
  readonly type: number;
  readonly error?: number;
  readonly words?: string;
  readonly sa?: NativeXfrmSaState;
  readonly policy?: NativeXfrmPolicy;
  readonly event?: NativeXfrmEvent;
}
