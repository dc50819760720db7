// A Child SA: its pair of SAs and its policy in the data plane, its life from installation to removal, and its timers.
// Which exchange makes, replaces or deletes it is written in the files of the exchanges.

import { toHex, uint32, wipe } from '../bytes.ts';
import type { ChildConfig, VolumeLimits } from '../config/types.ts';
import { type ErrorInfo, fail, ok, type Result } from '../errors.ts';
import type { SaLimits, SaParameters } from '../ipsec/data-plane.ts';
import {
  containsSelector,
  formatSelector,
  hostSelector,
  sameSelector,
  type TrafficSelector,
} from '../ipsec/selector.ts';
import { shorterLife, smallerVolume } from './child-lifetimes.ts';
import type { ChildSaInfo, DownReason } from './events.ts';
import type { Host } from './host.ts';
import type { AnyIkeSa } from './ike-sa.ts';
import { kernelOf, kernelSaOf } from './kernel-options.ts';
import { readdress } from './narrowing.ts';
import { policyPriority } from './priority.ts';
import { formatSuite } from './proposal.ts';
import { randomShare } from './retransmit.ts';
import type { Timer } from './runtime.ts';
import { logChildKeys } from './v2/key-log.ts';
import type { ChildKeys, ChildSuite } from './v2/keys.ts';

/** Everything that an exchange agreed on. Selectors and SPIs are named from our side. */
export interface ChildAgreement {
  readonly config: ChildConfig;
  /** Whether we initiated the exchange: decides which keys are ours. */
  readonly initiator: boolean;
  readonly suite: ChildSuite;
  readonly mode: 'tunnel' | 'transport';
  /** The peer can take padded inner packets. */
  readonly tfc: boolean;
  readonly keys: { readonly initiator: ChildKeys; readonly responder: ChildKeys };
  readonly spiIn: number;
  readonly spiOut: number;
  /** AH that goes around it (an SA bundle of IKEv1, RFC 2401 §4.3). */
  readonly around?: AhAround & { readonly keys: ChildAgreement['keys'] };
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  /** Of the exchange that made it: what collisions are decided by (RFC 7296 §2.8.1). */
  readonly nonces: Nonces;
  /** The Child SA that this one takes over from. */
  readonly replaces?: ChildSa;
  /** Sends on it only when told to by `activate`; by default whoever answers a rekeying waits. */
  readonly holdOutbound?: boolean;
  /** Ends that the peer has asked for, where they are sooner than the configured ones (IKEv1). */
  readonly mostLifeMs?: number;
  readonly mostBytes?: number;
}

/** The AH SAs of a bundle. */
export interface AhAround {
  readonly suite: ChildSuite;
  readonly spiIn: number;
  readonly spiOut: number;
}

export type Nonces = readonly [ni: Uint8Array, nr: Uint8Array];

/** A policy in the data plane, shared by a Child SA and those that replace it. */
interface SharedPolicy {
  readonly id: number;
  users: number;
}

export class ChildSa {
  readonly id: number;
  readonly name: string;
  readonly config: ChildConfig;
  readonly initiator: boolean;
  readonly suite: ChildSuite;
  readonly mode: 'tunnel' | 'transport';
  readonly spiIn: number;
  readonly spiOut: number;
  readonly localTs: readonly TrafficSelector[];
  readonly remoteTs: readonly TrafficSelector[];
  readonly nonces: Nonces;
  readonly encap: boolean;
  readonly inId: number;
  readonly outId: number;
  /** With the ids of its two SAs in the data plane. */
  readonly around: (AhAround & { readonly inId: number; readonly outId: number }) | undefined;
  /** The IKE SA that controls it; changes when that is rekeyed. */
  ike: AnyIkeSa;
  state: ChildSaInfo['state'] = 'installing';
  establishedAtMs = 0;
  /** What the peer's rekeying of this SA made, while ours may still be under way (RFC 7296 §2.8.1). */
  replacedByPeer: ChildSa | undefined;
  /** We have replaced it and are about to delete it. */
  replaced = false;
  removed = false;
  /** A rekeying of ours waits for its turn. */
  rekeyWaits = false;
  readonly #host: Host;
  #policy: SharedPolicy | undefined;
  /** In the order in which they go into the data plane. */
  #outbound: readonly SaParameters[] = [];
  #timers: Timer[] = [];
  #inboundAdded = false;
  readonly #tfc: boolean;
  readonly #limits: SaLimits | undefined;
  readonly #times: Pick<ChildConfig, 'rekeyTimeMs' | 'rekeyJitterMs' | 'lifeTimeMs'>;

  constructor(host: Host, ike: AnyIkeSa, agreement: ChildAgreement) {
    this.#host = host;
    this.ike = ike;
    this.id = host.nextId();
    this.inId = host.nextId();
    this.outId = host.nextId();
    this.name = agreement.config.name;
    this.config = agreement.config;
    this.initiator = agreement.initiator;
    this.suite = agreement.suite;
    this.spiIn = agreement.spiIn;
    this.spiOut = agreement.spiOut;
    const { around } = agreement;
    this.around = around && {
      suite: around.suite,
      spiIn: around.spiIn,
      spiOut: around.spiOut,
      inId: host.nextId(),
      outId: host.nextId(),
    };
    this.localTs = agreement.localTs;
    this.remoteTs = agreement.remoteTs;
    this.nonces = agreement.nonces;
    this.mode = agreement.mode;
    this.encap = ike.encap;
    this.#tfc = agreement.tfc;
    this.#limits = this.#drawLimits(agreement.mostBytes ?? 0);
    this.#times = shorterLife(agreement.config, agreement.mostLifeMs ?? 0);
  }

  /**
   * Puts policy and SAs into the data plane; all of it or nothing. A responder that replaces an SA keeps sending on the old
   * one until the initiator has deleted it, for only then the initiator is known to receive on the new one (RFC 7296 §2.8).
   */
  install(agreement: ChildAgreement, done: (result: Result<ChildSa>) => void): void {
    const sent = agreement.initiator ? 'initiator' : 'responder';
    const received = agreement.initiator ? 'responder' : 'initiator';
    const { keys, around } = agreement;
    const failed = (error: ErrorInfo): void => {
      for (const one of [keys.initiator, keys.responder, around?.keys.initiator, around?.keys.responder])
        wipe(one?.encryption, one?.integrity);
      this.#withdraw();
      done(fail(error.code, error.message));
    };
    this.#takePolicy(agreement.replaces, (policyError) => {
      if (policyError !== undefined) return failed(policyError);
      logChildKeys(this, keys[sent], keys[received]);
      this.#add(this.#bundle('in', keys[received], around?.keys[received]), (inError) => {
        if (inError !== undefined) return failed(inError);
        this.#inboundAdded = true;
        this.#outbound = this.#bundle('out', keys[sent], around?.keys[sent]);
        const waits = agreement.holdOutbound ?? (agreement.replaces !== undefined && !agreement.initiator);
        if (waits) return done(ok(this));
        this.activate((outError) => (outError === undefined ? done(ok(this)) : failed(outError)));
      });
    });
  }

  /** Sends on this SA from now on. Does nothing when it does so already. */
  activate(done: (error?: ErrorInfo) => void = () => {}): void {
    const parameters = this.#outbound;
    if (parameters.length === 0 || this.removed) return done();
    this.#outbound = [];
    this.#add(parameters, done);
  }

  /** Adds one after the other, up to the first error; the keys are wiped then. */
  #add(parameters: readonly SaParameters[], done: (error?: ErrorInfo) => void): void {
    const [next, ...rest] = parameters;
    if (next === undefined) return done();
    this.#host.runtime.dataPlane.addSa(next, (error) => {
      wipe(next.encryptionKey, next.integrityKey);
      if (error === undefined) return this.#add(rest, done);
      wipeAll(rest);
      done(error);
    });
  }

  /** It is installed on our side: starts its timers and tells the outside. */
  established(replaces?: ChildSa): void {
    const { runtime } = this.#host;
    this.state = 'established';
    this.establishedAtMs = runtime.nowMs();
    this.ike.children.add(this);
    const { rekeyTimeMs, rekeyJitterMs, lifeTimeMs } = this.#times;
    if (rekeyTimeMs > 0) {
      const wait = Math.max(0, rekeyTimeMs - rekeyJitterMs * randomShare(runtime));
      this.#timers.push(runtime.setTimer(wait, () => this.#host.childDue(this, 'rekey')));
    }
    if (lifeTimeMs > 0)
      this.#timers.push(runtime.setTimer(lifeTimeMs, () => this.#host.childDue(this, 'expire')));
    if (replaces === undefined) runtime.emit({ type: 'child-up', child: this.info() });
    else runtime.emit({ type: 'child-rekeyed', old: replaces.info(), child: this.info() });
    this.#host.childUp(this, replaces);
  }

  /** Takes it out of the data plane. `reason` is undefined when another one has taken over, which is no event of its own. */
  remove(reason: DownReason | undefined): void {
    if (this.removed) return;
    const info = this.info();
    this.#withdraw();
    this.ike.children.delete(this);
    this.replacedByPeer?.activate();
    if (reason !== undefined) this.#host.runtime.emit({ type: 'child-down', child: info, reason });
    this.#host.childDown(this, reason);
  }

  /** Does something after a time, unless it is removed before. */
  later(delayMs: number, act: () => void): void {
    if (!this.removed) this.#timers.push(this.#host.runtime.setTimer(delayMs, act));
  }

  /** Follows the peer to a new address (RFC 7296 §2.23). */
  movePath(): void {
    const path = { local: this.ike.local, remote: this.ike.remote };
    const { dataPlane } = this.#host.runtime;
    const waits = this.#outbound.length > 0;
    this.#outbound = this.#outbound.map((sa) => ({ ...sa, ...path }));
    for (const { inId, outId } of [this, ...(this.around === undefined ? [] : [this.around])]) {
      if (!waits) dataPlane.updateSa(outId, path);
      dataPlane.updateSa(inId, path);
    }
    // The selectors of transport mode are the outer addresses: only a new SA can have other ones.
    const stays = (selectors: readonly TrafficSelector[], address: string): boolean =>
      readdress(selectors, address)?.every((moved, i) => sameSelector(moved, selectors[i])) === true;
    const there = stays(this.localTs, path.local.address) && stays(this.remoteTs, path.remote.address);
    if (this.mode === 'transport' && !there) this.#host.childDue(this, 'rekey');
  }

  /** Whether it carries every packet of `other`. */
  covers(other: ChildSa): boolean {
    const within = (inner: readonly TrafficSelector[], outer: readonly TrafficSelector[]): boolean =>
      inner.every((part) => outer.some((whole) => containsSelector(whole, part)));
    return within(other.localTs, this.localTs) && within(other.remoteTs, this.remoteTs);
  }

  /** Of its SAs in the data plane. */
  get saIds(): readonly number[] {
    return [this, ...(this.around === undefined ? [] : [this.around])].flatMap(({ inId, outId }) => [
      inId,
      outId,
    ]);
  }

  info(): ChildSaInfo {
    return {
      id: this.id,
      ikeId: this.ike.id,
      connection: this.ike.connection.name,
      name: this.name,
      state: this.state,
      spis: { in: toHex(uint32(this.spiIn)), out: toHex(uint32(this.spiOut)) },
      saIds: { in: this.inId, out: this.outId },
      policyId: this.#policy?.id ?? 0,
      localTs: this.localTs.map(formatSelector),
      remoteTs: this.remoteTs.map(formatSelector),
      protocol: this.config.protocol,
      mode: this.mode,
      proposal: formatSuite(this.suite),
      ...(this.around === undefined ? {} : { around: describeAround(this.around) }),
      encap: this.encap,
      establishedAtMs: this.establishedAtMs,
    };
  }

  #withdraw(): void {
    const { dataPlane } = this.#host.runtime;
    this.removed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    wipeAll(this.#outbound);
    this.#outbound = [];
    // What is inside goes first.
    for (const { inId, outId, spiIn } of [this, ...(this.around === undefined ? [] : [this.around])]) {
      dataPlane.deleteSa(outId);
      dataPlane.deleteSa(inId);
      if (!this.#inboundAdded) dataPlane.releaseSpi(spiIn);
    }
    if (this.#policy !== undefined && --this.#policy.users === 0) dataPlane.deletePolicy(this.#policy.id);
  }

  #takePolicy(replaces: ChildSa | undefined, done: (error?: ErrorInfo) => void): void {
    const shared = replaces?.removed === false && sameSets(replaces, this) ? replaces.#policy : undefined;
    if (shared !== undefined) {
      shared.users++;
      this.#policy = shared;
      return done();
    }
    const id = this.#host.nextId();
    const { localTs, remoteTs } = this;
    const priority = policyPriority('protect', localTs, remoteTs);
    const policy = { id, kind: 'protect', priority, localTs, remoteTs, ...kernelOf(this.config) } as const;
    this.#host.runtime.dataPlane.addPolicy(policy, (error) => {
      if (error === undefined) this.#policy = { id, users: 1 };
      done(error);
    });
  }

  /** A limit that jitter has taken its part of is the same for both directions: whichever comes to it first speaks for both. */
  #drawLimits(mostBytes: number): SaLimits | undefined {
    const { packets } = this.config;
    const bytes = smallerVolume(this.config.bytes, mostBytes);
    if ([bytes, packets].every(({ rekey, life }) => rekey === 0 && life === 0)) return undefined;
    const soft = ({ rekey, jitter }: VolumeLimits): number =>
      rekey === 0 ? 0 : Math.max(1, rekey - Math.floor(jitter * randomShare(this.#host.runtime)));
    return {
      softBytes: soft(bytes),
      hardBytes: bytes.life,
      softPackets: soft(packets),
      hardPackets: packets.life,
    };
  }

  /** The SA of one direction, and before it the AH SA that goes around it. */
  #bundle(
    direction: 'in' | 'out',
    keys: ChildKeys,
    aroundKeys: ChildKeys | undefined,
  ): readonly SaParameters[] {
    const { around } = this;
    const sa = this.#parameters(direction, keys);
    const { integ, esn } = around?.suite ?? {};
    if (around === undefined || aroundKeys === undefined || integ === undefined) return [sa];
    const outer: SaParameters = {
      id: direction === 'in' ? around.inId : around.outId,
      direction,
      protocol: 'ah',
      mode: 'transport',
      spi: direction === 'in' ? around.spiIn : around.spiOut,
      policyId: 0,
      local: sa.local,
      remote: sa.remote,
      udpEncapsulation: false,
      esn: esn?.name === 'esn',
      replayWindow: sa.replayWindow,
      ...kernelSaOf(this.config, this.#times),
      // Of what the inner SA made: packets between the two hosts.
      localTs: [hostSelector(sa.local.address)],
      remoteTs: [hostSelector(sa.remote.address)],
      integrity: integ,
      integrityKey: aroundKeys.integrity,
    };
    return [outer, { ...sa, outerSaId: outer.id }];
  }

  #parameters(direction: 'in' | 'out', keys: ChildKeys): SaParameters {
    const { encr, integ, esn } = this.suite;
    const { replayWindow, header, tfcPaddingBytes } = this.config;
    const padded = direction === 'out' && this.mode === 'tunnel' && encr !== undefined && this.#tfc;
    const basics = {
      id: direction === 'in' ? this.inId : this.outId,
      direction,
      mode: this.mode,
      spi: direction === 'in' ? this.spiIn : this.spiOut,
      policyId: this.#policy?.id ?? 0,
      local: this.ike.local,
      remote: this.ike.remote,
      udpEncapsulation: this.encap,
      esn: esn.name === 'esn',
      replayWindow: direction === 'in' ? replayWindow : 0,
      localTs: this.localTs,
      remoteTs: this.remoteTs,
      ...(this.#limits === undefined ? {} : { limits: this.#limits }),
      ...(this.mode === 'tunnel' ? { header } : {}),
      ...(padded && tfcPaddingBytes > 0 ? { tfcBytes: tfcPaddingBytes } : {}),
      ...kernelSaOf(this.config, this.#times),
    } as const;
    if (encr !== undefined)
      return {
        ...basics,
        protocol: 'esp',
        encryption: encr,
        encryptionKey: keys.encryption,
        ...(integ === undefined ? {} : { integrity: integ, integrityKey: keys.integrity }),
      };
    if (integ === undefined) throw new Error('a suite that protects nothing');
    return { ...basics, protocol: 'ah', integrity: integ, integrityKey: keys.integrity };
  }
}

function wipeAll(parameters: readonly SaParameters[]): void {
  for (const { encryptionKey, integrityKey } of parameters) wipe(encryptionKey, integrityKey);
}

function describeAround({ spiIn, spiOut, suite }: AhAround): NonNullable<ChildSaInfo['around']> {
  return { spis: { in: toHex(uint32(spiIn)), out: toHex(uint32(spiOut)) }, proposal: formatSuite(suite) };
}

function sameSets(a: ChildSa, b: ChildSa): boolean {
  const same = (x: readonly TrafficSelector[], y: readonly TrafficSelector[]): boolean =>
    x.length === y.length && x.every((selector, i) => sameSelector(selector, y[i]));
  return same(a.localTs, b.localTs) && same(a.remoteTs, b.remoteTs);
}
