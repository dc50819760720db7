// An IKE SA of either version, as everything around it sees it: who it is with, where the peer is, the Child SAs on it, and the orders
// that it takes. How a version negotiates is in v1/ and v2/; what only one of them has is in its own class.

import type { ChildConfig, Connection, Identity } from '../config/types.ts';
import type { PacketSummary, WantedSa } from '../ipsec/data-plane.ts';
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import type { ChildSa, Nonces } from './child-sa.ts';
import type { DownReason, IkeSaInfo } from './events.ts';
import type { Host } from './host.ts';
import type { NatDetection } from './nat.ts';
import type { Datagram, Timer } from './runtime.ts';

/** What a new Child SA is made for. */
export interface MakeChildOptions {
  /** The packet that asked for it. */
  readonly packet?: PacketSummary | undefined;
  /** Asked when its turn has come: whether the Child SA is still missing and wanted. */
  readonly needed?: () => boolean;
}

export interface ChildOrder {
  readonly config: ChildConfig;
  readonly options: MakeChildOptions;
}

export abstract class AnyIkeSa {
  abstract readonly version: 1 | 2;
  readonly id: number;
  readonly host: Host;
  /** Of the SA itself: who sent the first message of the exchange that made it. */
  readonly role: 'initiator' | 'responder';
  readonly createdAtMs: number;
  #connection: Connection;
  /** Connections that a responder still holds possible. */
  candidates: readonly Connection[] = [];
  local: Endpoint;
  remote: Endpoint;
  natt: boolean;
  nat: NatDetection = { supported: false, local: false, remote: false };
  /** We made the peer believe in a NAT in front of us, so that ESP goes inside UDP. */
  pretendsNat = false;
  /** SPIs; with IKEv1 the cookies, which have their place. */
  spiI = 0n;
  spiR = 0n;
  nonces: Nonces | undefined;
  state: IkeSaInfo['state'] | 'dead' = 'connecting';
  establishedAtMs = 0;
  lastHeardMs: number;
  localId: Identity | undefined;
  remoteId: Identity | undefined;
  /** Inner addresses that the peer gave us, and that we gave the peer. */
  vips: readonly string[] = [];
  remoteVips: readonly string[] = [];
  readonly children = new Set<ChildSa>();
  /** Why it ends, once it is to end. */
  closeReason: DownReason | undefined;
  /** Lost a collision: its end is no event. */
  redundant = false;
  /** What took over its children and all that is still to do. */
  successor: AnyIkeSa | undefined;
  timers: Timer[] = [];

  constructor(host: Host, role: AnyIkeSa['role'], connection: Connection, path: Omit<Datagram, 'data'>) {
    this.id = host.nextId();
    this.host = host;
    this.role = role;
    this.#connection = connection;
    this.local = path.local;
    this.remote = path.remote;
    this.natt = path.natt;
    this.createdAtMs = host.runtime.nowMs();
    this.lastHeardMs = this.createdAtMs;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** The peer's identity has decided which connection this is. */
  assign(connection: Connection): void {
    this.host.table.reassign(this, connection);
    this.#connection = connection;
  }

  /** ESP of this SA's children goes inside UDP. */
  get encap(): boolean {
    return this.nat.local || this.nat.remote || this.pretendsNat;
  }

  get alive(): boolean {
    return this.state === 'established' || this.state === 'rekeying';
  }

  get path(): Omit<Datagram, 'data'> {
    return { local: this.local, remote: this.remote, natt: this.natt };
  }

  /** What the SPI of such a child will be for. */
  wantedSa({ protocol, mode }: ChildConfig): WantedSa {
    return { protocol, mode, local: this.local.address, remote: this.remote.address };
  }

  /** A host that is not behind a NAT follows its peer's last authentic address (RFC 7296 §2.23). */
  followPeer({ local, remote, natt }: Omit<Datagram, 'data'>): void {
    if (this.nat.local && !this.nat.remote) return;
    if (sameEndpoint(remote, this.remote) && sameEndpoint(local, this.local)) return;
    this.remote = remote;
    this.local = local;
    this.natt = natt;
    for (const child of this.children) child.movePath();
  }

  /** On the NAT-T ports from now on (RFC 7296 §2.23, RFC 3947 §4). */
  float(): void {
    this.natt = true;
    this.local = { address: this.local.address, port: this.host.ports.natt };
    this.remote = { address: this.remote.address, port: this.connection.remoteNattPort };
  }

  // ---- orders

  /** Makes a Child SA; the keeper hears of it, or of the failure. */
  abstract makeChild(config: ChildConfig, options: MakeChildOptions): void;
  /** Makes several; a version may do it in fewer exchanges. */
  makeChildren(orders: readonly ChildOrder[]): void {
    for (const { config, options } of orders) this.makeChild(config, options);
  }
  /** Replaces a Child SA. `settled`: it turned out to be needless, or the Child SA is gone. */
  abstract rekeyChild(child: ChildSa, settled?: () => void): void;
  /** Ends a Child SA; `reason` is undefined for one that another has replaced. */
  abstract deleteChild(child: ChildSa, reason: DownReason | undefined): void;
  /** Replaces this SA by a new one that takes over its children. */
  abstract rekey(): void;
  /** Asks whether the peer is alive, unless something else on its way will tell. */
  abstract checkLiveness(): void;
  /** Tells the peer that the SA ends and then ends it. `reason` is undefined for one that another has replaced. */
  abstract terminate(reason: DownReason | undefined): void;

  // ---- life

  /** The end: nothing is sent or acted upon any more, except that it may answer retransmissions for a while. */
  abstract die(reason: DownReason | undefined): void;
  /** Overwrites the keys; the table calls it when the SA is forgotten for good. */
  abstract wipe(): void;
  abstract info(): IkeSaInfo;
}
