// The portable data plane: ESP in JavaScript and WASM on the event loop, for hosts without the addon or the privilege it needs.
// The program takes the place of the TUN device. Out: sendPacket() reads the inner packet, finds its policy and SA, seals it and
// hands it to `transmit`. In: receive() finds the SA by SPI, opens the packet and hands it to the packet listener.
// The sockets of Node show and set no DSCP or ECN bits: outer headers are always Not-ECT with DSCP 0 (RFC 6040 §4.1, compatibility
// mode) whatever `SaParameters.header` wishes, except that copying a DSCP inwards is refused, for it would change inner packets.

import { readUint32 } from '../../bytes.ts';
import type { ErrorInfo, Result } from '../../errors.ts';
import type { Endpoint } from '../../net/address.ts';
import type {
  DataPlane,
  DataPlaneEvent,
  DataPlaneStats,
  Policy,
  SaCounters,
  SaParameters,
  SaSuite,
} from '../data-plane.ts';
import { espCarries } from '../esp.ts';
import { type InnerPacket, readPacket } from '../packet.ts';
import { matchesSelectors, PolicyTable } from '../policy-table.ts';
import { checkSa } from '../sa-check.ts';
import { SpiTable } from '../spi-table.ts';
import { HeldPackets } from './held-packets.ts';
import { InboundSa, type Received } from './inbound-sa.ts';
import { OutboundSa, type PortableParts, type Sent } from './outbound-sa.ts';

const MAX_SAS = 65536;
const MAX_POLICIES = 65536;

/**
 * What became of a packet: sealed and given to the network, waiting for an SA, not IPsec's business by a `bypass` policy (the program
 * sends it itself, as it is), or dropped (see `stats().drops`).
 */
export type SendOutcome = 'sent' | 'held' | 'bypassed' | 'dropped';

/** Why the portable plane drops packets: the keys of `stats().drops`. Where the engine drops for the same reason the name is the same. */
export type DropCause =
  | NonNullable<Received['drop']>
  | NonNullable<Sent['drop']>
  | 'no-policy'
  | 'no-sa'
  | 'discard'
  | 'unknown-spi'
  | 'held-overflow'
  | 'held-expired';

export class PortableDataPlane implements DataPlane {
  readonly name = 'portable';
  readonly udpEncapsulationOnly = true;
  readonly #parts: PortableParts;
  readonly #spis: SpiTable;
  readonly #inbound = new Map<number, InboundSa>();
  readonly #outbound = new Map<number, OutboundSa>();
  /** The outbound SAs of each policy, oldest first. */
  readonly #byPolicy = new Map<number, OutboundSa[]>();
  readonly #policies = new PolicyTable();
  readonly #held: HeldPackets;
  readonly #drops = new Map<DropCause, number>();
  readonly #totals = { packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
  #listener: (event: DataPlaneEvent) => void = () => {};
  #packetListener: (packet: Uint8Array, saId: number) => void = () => {};

  constructor(parts: PortableParts) {
    this.#parts = parts;
    this.#spis = new SpiTable((lengthBytes) => parts.random(lengthBytes));
    this.#held = new HeldPackets(parts.heldPackets, (cause, packets) => this.#count(cause, packets));
  }

  /** Where inner packets from the peers go, with the id of the SA that they came by. Set once, before anything else. */
  onPacket(listener: (packet: Uint8Array, saId: number) => void): void {
    this.#packetListener = listener;
  }

  supports(suite: SaSuite): boolean {
    return espCarries(suite);
  }

  onEvent(listener: (event: DataPlaneEvent) => void): void {
    this.#listener = listener;
  }

  /**
   * Sends an inner IPv4 or IPv6 packet by the SA of the policy that it matches. With `policyId` only by that policy, whose
   * selectors it must match. Never throws, whatever the bytes are. The packet is not kept.
   */
  sendPacket(packet: Uint8Array, policyId?: number): SendOutcome {
    const inner = readPacket(packet);
    if (inner === undefined) return this.#drop('malformed');
    const policy = policyId === undefined ? this.#policies.find(inner) : this.#policies.get(policyId);
    if (policy === undefined) return this.#drop('no-policy');
    if (policyId !== undefined && !matchesSelectors(inner, policy.localTs, policy.remoteTs))
      return this.#drop('selector');
    if (policy.kind === 'bypass') return 'bypassed';
    if (policy.kind === 'discard') return this.#drop('discard');
    const sa = this.#byPolicy.get(policy.id)?.findLast((candidate) => candidate.takes(inner));
    if (sa !== undefined) return this.#sendBy(sa, packet, inner);
    if (policy.kind === 'protect') return this.#drop('no-sa');
    const { held, ask } = this.#held.hold(policy.id, { bytes: packet, inner }, this.#parts.nowMs());
    if (ask) this.#listener({ type: 'acquire', policyId: policy.id, packet: inner.summary });
    return held ? 'held' : 'dropped';
  }

  /** Takes an ESP packet that came in UDP, SPI first. Hostile bytes are counted, never thrown. */
  receive(remote: Endpoint, esp: Uint8Array): void {
    if (esp.length < 8) {
      this.#count('malformed');
      return;
    }
    const sa = this.#inbound.get(this.#spis.owner(readUint32(esp)) ?? -1);
    if (sa === undefined) {
      this.#count('unknown-spi');
      return;
    }
    const { packet, drop, expire, moved } = sa.receive(remote, esp);
    if (drop !== undefined) this.#count(drop);
    if (packet !== undefined) {
      this.#totals.packetsIn++;
      this.#totals.bytesIn += packet.length;
    }
    if (moved !== undefined) this.#listener({ type: 'mapping', saId: sa.id, remote: moved });
    if (expire !== undefined) this.#listener({ type: 'expire', saId: sa.id, hard: expire === 'hard' });
    if (packet !== undefined) this.#packetListener(packet, sa.id);
  }

  allocateSpi(done: (result: Result<number>) => void): void {
    done(this.#spis.reserve());
  }

  releaseSpi(spi: number): void {
    this.#spis.release(spi);
  }

  addSa(sa: SaParameters, done: (error?: ErrorInfo) => void): void {
    const error = this.#addSa(sa);
    done(error);
    if (error !== undefined || sa.direction !== 'out') return;
    const added = this.#outbound.get(sa.id);
    if (added === undefined) return;
    for (const held of this.#held.release((inner) => this.#goesBy(added, inner), this.#parts.nowMs()))
      this.#sendBy(added, held.bytes, held.inner);
  }

  updateSa(id: number, path: { readonly local: Endpoint; readonly remote: Endpoint }): void {
    this.#inbound.get(id)?.move(path.local, path.remote);
    this.#outbound.get(id)?.move(path.local, path.remote);
  }

  deleteSa(id: number): void {
    const inbound = this.#inbound.get(id);
    if (inbound !== undefined) {
      this.#inbound.delete(id);
      this.#spis.remove(inbound.spi);
      inbound.close();
    }
    const outbound = this.#outbound.get(id);
    if (outbound !== undefined) {
      this.#outbound.delete(id);
      const others = (this.#byPolicy.get(outbound.policyId) ?? []).filter((other) => other !== outbound);
      if (others.length > 0) this.#byPolicy.set(outbound.policyId, others);
      else this.#byPolicy.delete(outbound.policyId);
      outbound.close();
    }
  }

  querySa(id: number): SaCounters | undefined {
    return (this.#inbound.get(id) ?? this.#outbound.get(id))?.counters();
  }

  addPolicy(policy: Policy, done: (error?: ErrorInfo) => void): void {
    if (this.#policies.size >= MAX_POLICIES)
      done({ code: 'table-full', message: `${MAX_POLICIES} policies are installed` });
    else if (!this.#policies.add(policy))
      done({ code: 'duplicate', message: `policy ${policy.id} is there already` });
    else done();
  }

  deletePolicy(id: number): void {
    this.#policies.delete(id);
    this.#held.forget(id);
  }

  stats(): DataPlaneStats {
    return { ...this.#totals, drops: Object.fromEntries(this.#drops) };
  }

  async close(): Promise<void> {
    for (const id of [...this.#inbound.keys(), ...this.#outbound.keys()]) this.deleteSa(id);
    this.#policies.clear();
    this.#spis.clear();
    this.#held.clear();
  }

  #addSa(sa: SaParameters): ErrorInfo | undefined {
    const refuse = (message: string): ErrorInfo => ({ code: 'bad-sa', message });
    if (sa.protocol !== 'esp' || !this.supports(sa))
      return refuse(`the portable data plane has no ${sa.protocol} ${sa.mode} SAs like this`);
    const problem = checkSa(sa);
    if (problem !== undefined) return problem;
    if (!sa.udpEncapsulation) return refuse('the portable data plane carries ESP in UDP only');
    if (sa.outerSaId !== undefined) return refuse('the portable data plane has no AH to go around ESP');
    if (sa.header?.copyDscp === 'in' || sa.header?.copyDscp === 'yes')
      return refuse('the portable data plane does not see the DSCP of outer headers');
    if (this.#inbound.has(sa.id) || this.#outbound.has(sa.id))
      return { code: 'duplicate', message: `SA ${sa.id} is there already` };
    if (this.#inbound.size + this.#outbound.size >= MAX_SAS)
      return { code: 'table-full', message: `${MAX_SAS} SAs are installed` };
    if (sa.direction === 'out') {
      const added = new OutboundSa(this.#parts, sa);
      this.#outbound.set(sa.id, added);
      this.#byPolicy.set(sa.policyId, [...(this.#byPolicy.get(sa.policyId) ?? []), added]);
      return undefined;
    }
    if (!this.#spis.install(sa.spi, sa.id))
      return { code: 'duplicate', message: 'another inbound SA has this SPI' };
    this.#inbound.set(sa.id, new InboundSa(this.#parts, sa));
    return undefined;
  }

  /** Whether a packet that waited goes by this SA: no policy that came since says otherwise. */
  #goesBy(sa: OutboundSa, inner: InnerPacket): boolean {
    const kind = this.#policies.find(inner)?.kind;
    return kind !== 'bypass' && kind !== 'discard' && sa.takes(inner);
  }

  #sendBy(sa: OutboundSa, packet: Uint8Array, inner: InnerPacket): SendOutcome {
    const { drop, expire } = sa.send(packet, inner);
    if (drop !== undefined) this.#count(drop);
    else {
      this.#totals.packetsOut++;
      this.#totals.bytesOut += inner.lengthBytes;
    }
    if (expire !== undefined) this.#listener({ type: 'expire', saId: sa.id, hard: expire === 'hard' });
    return drop === undefined ? 'sent' : 'dropped';
  }

  #drop(cause: DropCause): 'dropped' {
    this.#count(cause);
    return 'dropped';
  }

  #count(cause: DropCause, packets = 1): void {
    this.#drops.set(cause, (this.#drops.get(cause) ?? 0) + packets);
  }
}
