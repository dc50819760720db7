// createGateway(): puts the parts together, hands them their work, and takes them apart again. The negotiation is lib/ike, the
// packets are lib/ipsec; here are the events, the promises and the life cycle that a program sees.

import { EventEmitter } from 'node:events';
import { type Capture, type CaptureOptions, Captures } from './capture.ts';
import type { ManualSaInput } from './config/manual.ts';
import { type ConfigInput, parseConfig } from './config/parse.ts';
import type { Config, Connection } from './config/types.ts';
import { runKeyExchange } from './crypto/key-exchange.ts';
import { createKeyExchangePool } from './crypto/pool.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from './crypto/provider.ts';
import { createCrypto } from './crypto/symmetric.ts';
import { type OpenPlane, openDataPlane } from './data-planes.ts';
import { IkeError, NegotiationError, type Result, SystemError } from './errors.ts';
import type { ChildSa } from './ike/child-sa.ts';
import type {
  ChildSaInfo,
  DownReason,
  IkeEvent,
  IkeSaInfo,
  KeyLogEntry,
  MessageTrace,
  Warning,
} from './ike/events.ts';
import type { FailureReport } from './ike/failure.ts';
import { IkeEndpoint } from './ike/ike-endpoint.ts';
import type { OrderError } from './ike/keeper.ts';
import { type Log, silentLog } from './ike/runtime.ts';
import type { DataPlaneStats, SaCounters } from './ipsec/data-plane.ts';
import type { SendOutcome } from './ipsec/portable/index.ts';
import { type ManualSaStatus, ManualSas } from './manual-sas.ts';
import { NodeRuntime, nowMs, random } from './node-runtime.ts';

/** How long `close()` waits for peers to answer the deletes. */
const CLOSE_PATIENCE_MS = 2000;

/** A Child SA as events and `initiate()` hand it out. */
export interface Child extends ChildSaInfo {
  /**
   * Sends an inner IP packet by this child, or the one that has replaced it (portable data plane only; a
   * {@link SystemError} elsewhere). `dropped`: the packet is not one of the child's selectors, or the child is down.
   */
  send(packet: Uint8Array): SendOutcome;
}

/** What {@link Gateway} tells, with the arguments of the listeners. Listeners run after the gateway's own work is done. */
export interface GatewayEvents {
  'ike-up': [ike: IkeSaInfo];
  'ike-down': [ike: IkeSaInfo, reason: DownReason];
  'ike-rekeyed': [ike: IkeSaInfo, old: IkeSaInfo];
  'child-up': [child: Child];
  'child-down': [child: ChildSaInfo, reason: DownReason];
  'child-rekeyed': [child: Child, old: ChildSaInfo];
  /** Either kind of SA was replaced by a new one. */
  rekeyed: [sa: IkeSaInfo | Child, old: IkeSaInfo | ChildSaInfo];
  failed: [report: FailureReport];
  /** Something weak was used because the configuration allows it. */
  warning: [warning: Warning];
  /** One IKE message, sent or received. */
  message: [message: MessageTrace];
  /** SECRET key material, with `keyLog: true` only. */
  keys: [entry: KeyLogEntry];
  /** An SA that was installed by hand has carried all that it may, and carries nothing any more. */
  'sa-expired': [sa: ManualSaStatus];
  /** An inner packet that came through the tunnel (portable data plane only); `child` is undefined for an SA installed by hand. */
  packet: [packet: Uint8Array, child: Child | undefined];
}

export interface GatewayOptions {
  /** Where the structured log goes; nowhere by default. */
  readonly log?: Log;
  /** Emit `keys` events, for tshark. Whoever has them can read the traffic. */
  readonly keyLog?: boolean;
}

/** An IKE SA with its children, as {@link Gateway.sas} shows it. */
export interface IkeSaStatus extends IkeSaInfo {
  readonly children: readonly ChildSaStatus[];
}

export interface ChildSaStatus extends ChildSaInfo {
  /** Inner packets and bytes of each direction; undefined for one that is not installed (yet, or any more). */
  readonly counters: { readonly in: SaCounters | undefined; readonly out: SaCounters | undefined };
}

export interface GatewayStats {
  /** Occurrences in the negotiation by cause: `malformed`, `cookie-asked`, `not-authentic`, ... */
  readonly ike: Readonly<Record<string, number>>;
  readonly dataPlane: DataPlaneStats;
}

/**
 * Starts a gateway: binds its sockets, opens its data plane, sets traps and brings up what `start: 'start'` asks for.
 * Rejects with a ConfigError for a configuration that cannot be used and a SystemError for what the host lacks; nothing
 * is left open then. Resolves before tunnels are up: see `initiate` and the events.
 */
export async function createGateway(input: ConfigInput, options: GatewayOptions = {}): Promise<Gateway> {
  const config = parseConfig(input);
  const log = options.log ?? silentLog;
  const crypto = createCrypto();
  const plane = await openDataPlane(config, { crypto, random, nowMs, log });
  return new Gateway(config, plane, crypto, { log, keyLog: options.keyLog === true });
}

/** A running gateway; made by {@link createGateway}. */
export class Gateway extends EventEmitter<GatewayEvents> {
  /** Which data plane runs. */
  readonly dataPlane: OpenPlane['dataPlane']['name'];
  /** The UDP ports that are bound. */
  readonly ports: { readonly ike: number; readonly natt: number };
  readonly #config: Config;
  readonly #plane: OpenPlane;
  readonly #runtime: NodeRuntime;
  readonly #endpoint: IkeEndpoint;
  readonly #manual: ManualSas;
  readonly #captures: Captures;
  readonly #pool = createKeyExchangePool();
  /** One {@link Child} a Child SA, for the packets that come by it. */
  readonly #handles = new WeakMap<ChildSa, Child>();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(
    config: Config,
    plane: OpenPlane,
    crypto: ReturnType<typeof createCrypto>,
    options: { readonly log: Log; readonly keyLog: boolean },
  ) {
    super();
    const { dataPlane, transport } = plane;
    this.dataPlane = dataPlane.name;
    this.ports = transport.ports;
    this.#config = config;
    this.#plane = plane;
    this.#runtime = new NodeRuntime({
      crypto,
      keyExchange: (job, done) => this.#keyExchange(job, done),
      dataPlane,
      transport,
      emit: (event) => this.#tell(event),
      ...options,
    });
    const endpoint = new IkeEndpoint(this.#runtime, config, transport.ports);
    this.#endpoint = endpoint;
    transport.onDatagram((datagram) => this.#runtime.guard('datagram', () => endpoint.receive(datagram)));
    this.#captures = new Captures(plane.captures, dataPlane.name);
    this.#manual = new ManualSas(dataPlane, () => endpoint.nextId(), transport.ports.natt);
    dataPlane.onEvent((event) => {
      const manual = event.type === 'expire' ? this.#manual.status(event.saId) : undefined;
      if (manual === undefined) this.#runtime.guard('data-plane', () => endpoint.dataPlaneEvent(event));
      else if (event.type === 'expire' && event.hard) this.#later('sa-expired', manual);
    });
    plane.portable?.onPacket((packet, saId) => this.#later('packet', packet, this.#handle(saId)));
    this.#runtime.guard('begin', () => endpoint.begin());
  }

  /**
   * Brings a Child SA up, with the IKE SA where there is none; resolves when it is (at once when it was). `child` may be
   * left out where the connection has only one. Rejects with a {@link NegotiationError} that holds the report.
   */
  async initiate(connection: string, child?: string): Promise<Child> {
    const name = this.#childName(connection, child);
    const info = await this.#order<ChildSaInfo>((done) => this.#endpoint.initiate(connection, name, done));
    return this.#makeChild(info);
  }

  /**
   * Ends a Child SA, or the connection's IKE SAs with all that is on them, and tells the peer; resolves when nothing is left.
   * What `start: 'start'` keeps up stays down until it is initiated again. Traps stay set.
   */
  async terminate(connection: string, child?: string): Promise<void> {
    if (child === undefined) this.#connection(connection);
    else this.#childName(connection, child);
    await this.#order<undefined>((done) => this.#endpoint.terminate(connection, child, done));
  }

  /** Rekeys a Child SA, or without `child` the IKE SA; resolves with what has replaced it. */
  async rekey(connection: string, child?: string): Promise<IkeSaInfo | ChildSaInfo> {
    if (child === undefined) {
      this.#connection(connection);
      return this.#order<IkeSaInfo>((done) => this.#endpoint.rekeyIke(connection, done));
    }
    const name = this.#childName(connection, child);
    return this.#order<ChildSaInfo>((done) => this.#endpoint.rekeyChild(connection, name, done));
  }

  /** Every IKE SA that is not over, with its children and their counters. */
  sas(): IkeSaStatus[] {
    const counters = (id: number): SaCounters | undefined => this.#plane.dataPlane.querySa(id);
    return this.#endpoint.sas().map(({ ike, children }) => ({
      ...ike,
      children: children.map((child) => ({
        ...child,
        counters: { in: counters(child.saIds.in), out: counters(child.saIds.out) },
      })),
    }));
  }

  /**
   * Installs one direction of an SA whose keys were agreed on elsewhere, without IKE; resolves with its id. Nobody rekeys it, and
   * its keys must never have been used before: sequence numbers and IVs begin anew. Rejects with a ConfigError that names the field.
   */
  async addSa(sa: ManualSaInput): Promise<number> {
    if (this.#closing !== undefined) throw new IkeError('ERR_IKE_CLOSED', 'the gateway is closed');
    return this.#manual.add(sa);
  }

  /** Removes an SA that {@link addSa} installed. Throws an {@link IkeError} for an id that is of none. */
  deleteSa(id: number): void {
    if (!this.#manual.delete(id))
      throw new IkeError('ERR_IKE_UNKNOWN_NAME', `there is no SA ${id} that was installed by hand`);
  }

  /** The SAs that {@link addSa} installed. */
  manualSas(): ManualSaStatus[] {
    return this.#manual.list();
  }

  /** What was counted since the start. */
  stats(): GatewayStats {
    return { ike: this.#endpoint.counts(), dataPlane: this.#plane.dataPlane.stats() };
  }

  /**
   * Sends an inner IP packet by whichever child its addresses and ports belong to (portable data plane only; with the
   * engine the TUN device takes packets, and this throws a {@link SystemError}).
   */
  send(packet: Uint8Array): SendOutcome {
    return this.#sendPacket(packet);
  }

  /**
   * Writes what passes into a pcap file that Wireshark reads (engine only): `inner` in clear, `outer` as ESP, which the key log
   * decrypts. Each side has one capture at a time. Rejects with a {@link SystemError} on other data planes (`ERR_IKE_NO_CAPTURE`),
   * when the file cannot be made or is there already (`ERR_IKE_CAPTURE`), and while one of that side runs (`ERR_IKE_EXISTS`).
   */
  async capture(options: CaptureOptions): Promise<Capture> {
    if (this.#closing !== undefined) throw new IkeError('ERR_IKE_CLOSED', 'the gateway is closed');
    return this.#captures.start(options);
  }

  /** Tells the peers, removes every SA, route and device, and closes the sockets. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await new Promise<void>((resolve) => this.#endpoint.close(CLOSE_PATIENCE_MS, resolve));
    this.#runtime.end();
    this.#manual.close();
    this.#captures.close();
    await Promise.all([this.#plane.dataPlane.close(), this.#plane.transport.close(), this.#pool.close()]);
  }

  #keyExchange(job: KeyExchangeJob, done: (outcome: KeyExchangeOutcome) => void): void {
    if (!job.method.quick) return this.#pool.run(job, done);
    // At once, for the caller wipes its secrets; told later, as the pool does.
    const outcome = runKeyExchange(job);
    setImmediate(() => done(outcome));
  }

  #tell(event: IkeEvent): void {
    switch (event.type) {
      case 'ike-up':
        return this.#later('ike-up', event.ike);
      case 'ike-down':
        return this.#later('ike-down', event.ike, event.reason);
      case 'ike-rekeyed':
        this.#later('ike-rekeyed', event.ike, event.old);
        return this.#later('rekeyed', event.ike, event.old);
      case 'child-up':
        return this.#later('child-up', this.#makeChild(event.child));
      case 'child-down':
        return this.#later('child-down', event.child, event.reason);
      case 'child-rekeyed': {
        const child = this.#makeChild(event.child);
        this.#later('child-rekeyed', child, event.old);
        return this.#later('rekeyed', child, event.old);
      }
      case 'failed':
        return this.#later('failed', event.report);
      case 'warning':
        return this.#later('warning', event.warning);
      case 'message':
        return this.#later('message', event.message);
      case 'keys':
        return this.#later('keys', event.keys);
      default:
        event satisfies never;
    }
  }

  /** In the next turn, in order: a listener that throws, or that gives new orders, meets no work half done. */
  #later<E extends keyof GatewayEvents>(event: E, ...args: GatewayEvents[E]): void {
    // EventEmitter's types cannot follow a generic name to its arguments; ours have just been checked.
    const emit = this.emit as (name: E, ...values: GatewayEvents[E]) => boolean;
    if (this.listenerCount(event) > 0) process.nextTick(() => emit.call(this, event, ...args));
  }

  /** The child that an inbound SA belongs to. Made once, for packets are many. */
  #handle(saId: number): Child | undefined {
    const sa = this.#endpoint.childOfSa(saId);
    if (sa === undefined) return undefined;
    const known = this.#handles.get(sa);
    if (known !== undefined) return known;
    const child = this.#makeChild(sa.info());
    this.#handles.set(sa, child);
    return child;
  }

  #makeChild(info: ChildSaInfo): Child {
    const send = (packet: Uint8Array): SendOutcome => this.#sendPacket(packet, info.policyId);
    return Object.defineProperty({ ...info, send }, 'send', { enumerable: false });
  }

  #sendPacket(packet: Uint8Array, policyId?: number): SendOutcome {
    if (this.#plane.portable === undefined) {
      const instead = this.dataPlane === 'engine' ? '; packets go through its TUN device' : '';
      throw new SystemError(
        'ERR_IKE_NO_PACKETS',
        `the ${this.dataPlane} data plane takes no packets from the program${instead}`,
      );
    }
    if (!(packet instanceof Uint8Array)) throw new TypeError('packet: expected a Uint8Array');
    return this.#plane.portable.sendPacket(packet, policyId);
  }

  /** An order to the negotiation as a promise. */
  #order<T>(give: (done: (result: Result<T, OrderError>) => void) => void): Promise<T> {
    if (this.#closing !== undefined)
      return Promise.reject(new IkeError('ERR_IKE_CLOSED', 'the gateway is closed'));
    return new Promise((resolve, reject) => {
      give((result) => {
        if (result.ok) return resolve(result.value);
        const { code, message, report } = result.error;
        reject(new NegotiationError(`ERR_IKE_${code.toUpperCase().replaceAll('-', '_')}`, message, report));
      });
    });
  }

  #connection(name: string): Connection {
    const { connections } = this.#config;
    if (Object.hasOwn(connections, name)) return connections[name];
    const known = Object.keys(connections).join(', ') || 'none';
    throw new IkeError('ERR_IKE_UNKNOWN_NAME', `there is no connection "${name}"; there are: ${known}`);
  }

  #childName(connection: string, child: string | undefined): string {
    const { children, shunts } = this.#connection(connection);
    const negotiated = Object.keys(children);
    const names = [...negotiated, ...Object.keys(shunts)];
    if (child === undefined && negotiated.length === 1) return negotiated[0];
    if (child !== undefined && names.includes(child)) return child;
    const what = child === undefined ? 'which child?' : `there is no child "${child}"`;
    throw new IkeError(
      'ERR_IKE_UNKNOWN_NAME',
      `${connection}: ${what} It has: ${names.join(', ') || 'none'}`,
    );
  }
}
