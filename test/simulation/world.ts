// A network of gateways in one process on virtual time: everything that is random comes from one seed, so a failing story can
// be played again. Datagrams are lost, repeated, delayed (and so reordered) as `faults` says; hosts are cut off, crash, come back.
//
//   const world = new World(42, { loss: 0.2 });
//   const a = world.gateway('a', '192.0.2.1', config).start();
//   world.run(60_000);

import type { Config } from '../../lib/config/types.ts';
import type { IkeEvent } from '../../lib/ike/events.ts';
import { type Endpoint, formatEndpoint } from '../../lib/net/address.ts';
import { Random } from '../fuzz/mutate.ts';
import { VirtualClock } from './clock.ts';
import { Gateway, PORTS } from './gateway.ts';

export interface Faults {
  /** Shares of the datagrams, 0 to 1. */
  readonly loss: number;
  readonly duplication: number;
  /** Each datagram takes its own time between these, so later ones overtake. */
  readonly leastDelayMs: number;
  readonly mostDelayMs: number;
}

export const CALM: Faults = { loss: 0, duplication: 0, leastDelayMs: 5, mostDelayMs: 5 };
export const ROUGH: Faults = { loss: 0.2, duplication: 0.2, leastDelayMs: 1, mostDelayMs: 400 };

/** No story takes more events than this. */
const MOST_EVENTS = 2_000_000;

/** A datagram on the wire, with the addresses that a listener there would see. */
export interface Packet {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly data: Uint8Array;
}

/** A host that runs no endpoint: it keeps what it gets, and a test sends in its name. */
export interface Stranger {
  readonly address: string;
  readonly received: Packet[];
  send(to: Endpoint, data: Uint8Array, fromPort?: number): void;
}

export interface WorldOptions {
  readonly faults?: Partial<Faults>;
  readonly keyExchange?: 'node' | 'cheap';
  readonly slowPlanes?: boolean;
  readonly slowestSignatureMs?: number;
}

/** A NAT in front of one gateway. Ports are mapped one by one; `rebind` forgets the mappings, as a NAT that restarted. */
export class Nat {
  readonly address: string;
  readonly inside: Gateway;
  readonly #out = new Map<number, number>();
  readonly #in = new Map<number, number>();
  #next = 20_000;

  constructor(address: string, inside: Gateway) {
    this.address = address;
    this.inside = inside;
  }

  rebind(): void {
    this.#out.clear();
    this.#in.clear();
  }

  outbound(port: number): Endpoint {
    const outer = this.#out.get(port) ?? this.#next++;
    this.#out.set(port, outer);
    this.#in.set(outer, port);
    return { address: this.address, port: outer };
  }

  inbound(port: number): Endpoint | undefined {
    const inner = this.#in.get(port);
    return inner === undefined ? undefined : { address: this.inside.address, port: inner };
  }
}

export class World {
  readonly seed: number;
  readonly clock = new VirtualClock();
  /** For the test's own choices. */
  readonly random: Random;
  faults: Faults;
  /** Every datagram that was sent, in order, before faults. */
  readonly wire: Packet[] = [];
  /** NAT keepalives (RFC 3948 §2.3) that came to their host. */
  keepalives = 0;
  /** Looks at each datagram before faults; false drops it. */
  filter: (packet: Packet) => boolean = () => true;
  readonly gateways: Gateway[] = [];
  readonly #options: WorldOptions;
  readonly #network: Random;
  readonly #hosts = new Map<string, Gateway | Stranger>();
  readonly #nats = new Map<string, Nat>();
  readonly #cut = new Set<string>();
  readonly #trace: (() => string)[] = [];
  readonly #orders: { gateway: string; life: number; atMs: number; told: number }[] = [];
  #flying = 0;
  #events = 0;

  constructor(seed: number, options: WorldOptions = {}) {
    this.seed = seed;
    this.random = new Random(seed * 64 + 1);
    this.#network = new Random(seed * 64 + 2);
    this.#options = options;
    this.faults = { ...CALM, ...options.faults };
  }

  gateway(
    name: string,
    address: string,
    config: Config,
    options: { readonly behindNat?: string; readonly udpEncapsulationOnly?: boolean } = {},
  ): Gateway {
    const gateway: Gateway = new Gateway({
      name,
      address,
      config,
      seed: this.seed * 64 + 3 + this.#hosts.size,
      keyExchange: this.#options.keyExchange ?? 'node',
      slowPlane: this.#options.slowPlanes ?? false,
      ...(this.#options.slowestSignatureMs === undefined
        ? {}
        : { slowestSignatureMs: this.#options.slowestSignatureMs }),
      udpEncapsulationOnly: options.udpEncapsulationOnly ?? false,
      clock: this.clock,
      send: (datagram) => this.#send(datagram.local, datagram.remote, datagram.data),
      heard: (event) => this.#heard(name, event),
    });
    this.#hosts.set(address, gateway);
    this.gateways.push(gateway);
    if (options.behindNat !== undefined)
      this.#nats.set(options.behindNat, new Nat(options.behindNat, gateway));
    return gateway;
  }

  stranger(address: string): Stranger {
    const stranger: Stranger = {
      address,
      received: [],
      send: (to, data, fromPort = PORTS.ike) => this.#send({ address, port: fromPort }, to, data),
    };
    this.#hosts.set(address, stranger);
    return stranger;
  }

  nat(address: string): Nat {
    const nat = this.#nats.get(address);
    if (nat === undefined) throw new Error(`no NAT at ${address}`);
    return nat;
  }

  // ---- what a story does

  /** Lets time pass. */
  run(forMs: number): this {
    const until = this.clock.nowMs + forMs;
    while (this.clock.step(until)) {
      if (++this.#events > MOST_EVENTS) throw new Error(`more than ${MOST_EVENTS} events: no end in sight`);
    }
    this.clock.nowMs = until;
    return this;
  }

  /** Lets time pass until `held`, at most `mostMs`; whether it came to hold. */
  runUntil(held: () => boolean, mostMs: number): boolean {
    const until = this.clock.nowMs + mostMs;
    while (!held()) {
      if (!this.clock.step(until)) {
        this.clock.nowMs = until;
        return held();
      }
      if (++this.#events > MOST_EVENTS) throw new Error(`more than ${MOST_EVENTS} events: no end in sight`);
    }
    return true;
  }

  /** Something of the story happens later. */
  after(delayMs: number, what: string, act: () => void): void {
    this.clock.after(delayMs, () => {
      this.note(what);
      act();
    });
  }

  /** A callback for an order to `gateway`, of which {@link assertOrdersTold} knows whether it was called. */
  order(gateway: Gateway): () => void {
    const order = { gateway: gateway.name, life: gateway.life, atMs: this.clock.nowMs, told: 0 };
    this.#orders.push(order);
    return () => {
      order.told++;
    };
  }

  /** Whoever gave an order was told its end exactly once; who asked a gateway that crashed since is not. */
  assertOrdersTold(): void {
    const lives = new Map(this.gateways.map(({ name, life }) => [name, life]));
    for (const { gateway, life, atMs, told } of this.#orders) {
      const alive = lives.get(gateway) === life;
      if (told > 1 || (alive && told === 0)) {
        throw new Error(`an order to ${gateway} at ${time(atMs)} was told its end ${told} times`);
      }
    }
  }

  /** No datagram passes between two hosts until {@link join}. */
  cut(a: Gateway, b: Gateway): void {
    this.#cut.add(pair(a.address, b.address));
  }

  join(a: Gateway, b: Gateway): void {
    this.#cut.delete(pair(a.address, b.address));
  }

  /** Brings a datagram to whoever has its destination, as if it came from `from`; no faults. */
  inject(packet: Packet): void {
    this.#arrive(packet);
  }

  /** Nothing is under way: no datagram, no key exchange, no request without an answer. */
  get quiet(): boolean {
    return (
      this.#flying === 0 &&
      this.gateways.every(
        (gateway) =>
          gateway.exchanging === 0 && gateway.ikeSas.every((ike) => ike.inFlight === undefined && ike.alive),
      )
    );
  }

  // ---- what happened

  note(text: string): void {
    const atMs = this.clock.nowMs;
    this.#trace.push(() => `${time(atMs)}  * ${text}`);
  }

  /** The story so far, one line an event. */
  get story(): string[] {
    return this.#trace.map((line) => line());
  }

  // ---- the wire

  #send(from: Endpoint, to: Endpoint, data: Uint8Array): void {
    const nat = [...this.#nats.values()].find(({ inside }) => inside.address === from.address);
    const packet = { from: nat?.outbound(from.port) ?? from, to, data };
    this.wire.push(packet);
    if (!this.filter(packet)) return this.#mark(packet, 'dropped by the test');
    const inner = this.#nats.get(to.address)?.inside.address ?? to.address;
    if (this.#cut.has(pair(from.address, inner))) return this.#mark(packet, 'cut off');
    const { loss, duplication, leastDelayMs, mostDelayMs } = this.faults;
    const copies = this.#chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#chance(loss)) {
        this.#mark(packet, 'lost');
        continue;
      }
      const delay = leastDelayMs + this.#network.below(mostDelayMs - leastDelayMs + 1);
      this.#flying++;
      this.clock.after(delay, () => {
        this.#flying--;
        this.#arrive(packet);
      });
    }
  }

  #arrive({ from, to, data }: Packet): void {
    const nat = this.#nats.get(to.address);
    const local = nat === undefined ? to : nat.inbound(to.port);
    if (local === undefined) return;
    const host = this.#hosts.get(local.address);
    if (host === undefined) return;
    if (!(host instanceof Gateway)) {
      host.received.push({ from, to, data });
      return;
    }
    if (data.length === 1 && data[0] === 0xff) {
      this.keepalives++;
      return;
    }
    host.receive({ local, remote: from, natt: local.port === PORTS.natt, data: data.slice() });
  }

  #chance(share: number): boolean {
    return share > 0 && this.#network.next() / 2 ** 32 < share;
  }

  #mark({ from, to, data }: Packet, what: string): void {
    const atMs = this.clock.nowMs;
    this.#trace.push(
      () =>
        `${time(atMs)}  x ${formatEndpoint(from)} -> ${formatEndpoint(to)}, ${data.length} bytes: ${what}`,
    );
  }

  #heard(name: string, event: IkeEvent): void {
    const atMs = this.clock.nowMs;
    this.#trace.push(() => `${time(atMs)}  ${name} ${describe(event)}`);
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function time(atMs: number): string {
  return (atMs / 1000).toFixed(3).padStart(9);
}

function describe(event: IkeEvent): string {
  switch (event.type) {
    case 'message': {
      const { direction, exchange, messageId, response, retransmission, payloads } = event.message;
      const spis = `${event.message.initiatorSpi.slice(0, 4)}/${event.message.responderSpi.slice(0, 4)}`;
      const arrow = direction === 'sent' ? '->' : '<-';
      const kind = `${response ? 'response' : 'request'}${retransmission ? ' again' : ''}`;
      return `${arrow} ${spis} ${exchange} ${messageId} ${kind} { ${payloads.join(', ')} }`;
    }
    case 'failed':
      return `failed: ${event.report.code}: ${event.report.message}`;
    case 'ike-up':
    case 'ike-down':
      return `${event.type} #${event.ike.id} ${event.ike.role}${event.type === 'ike-down' ? ` ${event.reason}` : ''}`;
    case 'ike-rekeyed':
      return `ike-rekeyed #${event.old.id} -> #${event.ike.id}`;
    case 'child-up':
    case 'child-down': {
      const { id, spis } = event.child;
      return `${event.type} #${id} in ${spis.in} out ${spis.out}${event.type === 'child-down' ? ` ${event.reason}` : ''}`;
    }
    case 'child-rekeyed':
      return `child-rekeyed #${event.old.id} -> #${event.child.id} in ${event.child.spis.in} out ${event.child.spis.out}`;
    default:
      return event.type;
  }
}
