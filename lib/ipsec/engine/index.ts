// The engine driver: one native engine, seen as a DataPlane and as a Transport. Packets of traffic stay in C++; through here go
// commands, datagrams of IKE, and rare events. Addresses are bytes below and text above.

import { accessSync, constants, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Config } from '../../config/types.ts';
import type { CipherMode } from '../../crypto/algorithms.ts';
import { type ErrorInfo, fail, ok, type Result, SystemError } from '../../errors.ts';
import type { Datagram, Log } from '../../ike/runtime.ts';
import { type Endpoint, formatAddress, parseAddress } from '../../net/address.ts';
import type { Transport } from '../../net/transport.ts';
import type { CaptureCounts, CapturePlane, CaptureSide, CaptureSpec } from '../capture.ts';
import type {
  DataPlane,
  DataPlaneEvent,
  DataPlaneStats,
  Policy,
  SaCounters,
  SaParameters,
  SaSuite,
} from '../data-plane.ts';
import {
  loadAddon,
  type NativeDatagram,
  type NativeEngine,
  type NativeEvent,
  type NativeSa,
} from './native.ts';

/** The capability that TUN devices, routes and marks need: CAP_NET_ADMIN. */
const NET_ADMIN_BIT = 12n;
/** What the engine authenticates CBC with (addon/cipher/cbc-hmac.cc). */
const INTEGRITY: ReadonlySet<string> = new Set(['sha1', 'sha256', 'sha384', 'sha512', 'aesxcbc', 'aescmac']);
const AEADS: ReadonlySet<CipherMode> = new Set(['aes-gcm', 'aes-gmac', 'aes-ccm', 'chacha20-poly1305']);
const CIPHERS: ReadonlySet<CipherMode> = new Set(['aes-cbc', 'aes-ctr', '3des-cbc', 'null']);
const CLOSED: ErrorInfo = { code: 'ERR_IKE_CLOSED', message: 'the data plane is closed' };
const CORES_PER_WORKER = 4;
const MAX_AUTOMATIC_WORKERS = 4;
const UNSPECIFIED: Readonly<Record<number, Uint8Array>> = { 4: new Uint8Array(4), 16: new Uint8Array(16) };

/**
 * Opens sockets, TUN device and routing rules, and starts the worker. Rejects with a SystemError: ERR_IKE_NO_ADDON, ERR_IKE_NO_TUN,
 * ERR_IKE_TUN_IN_USE, ERR_IKE_PRIVILEGE, ERR_IKE_PORT_IN_USE, ERR_IKE_NO_ADDRESS, ERR_IKE_ROUTE or ERR_IKE_SYSTEM. The engine ends
 * when both halves are closed, when the environment ends, and when the process exits. IKE_NATIVE_OFFLOADS=off does without the
 * kernel's segmentation, joining and checksum offloads, for drivers that have them wrong and to measure what they are worth.
 *
 * @param nowMs the runtime's clock, on which `SaCounters.lastUsedMs` is.
 */
export async function openEngine(
  config: Config,
  log: Log,
  nowMs: () => number,
): Promise<{ dataPlane: DataPlane & CapturePlane; transport: Transport }> {
  const { Engine } = loadAddon();
  const addresses = config.listen.addresses.map(toBytes);
  const inbox = new Inbox(log);
  const native = systemErrors(
    () =>
      new Engine(
        {
          addresses,
          port: config.listen.port,
          nattPort: config.listen.nattPort,
          tunName: config.tun.name,
          mtu: config.tun.mtu,
          installRoutes: config.routes.install,
          table: config.routes.table,
          priority: config.routes.priority,
          mark: config.routes.mark,
          heldPackets: config.limits.heldPackets,
          workers: config.engine.workers === 0 ? automaticWorkers() : config.engine.workers,
          busyPollMs: config.engine.busyPollMs,
          clampMss: config.engine.clampMss,
          offloads: process.env['IKE_NATIVE_OFFLOADS'] !== 'off',
        },
        (datagrams, events) => inbox.deliver(datagrams, events),
      ),
  );
  for (const warning of native.warnings()) log.warn('engine-address-left-out', { reason: warning });
  const noBypass = native.bypassRefusal();
  if (noBypass !== '') log.warn('engine-no-bypass', { reason: noBypass });
  const udpOnly = native.udpOnly();
  if (udpOnly !== undefined) log.warn('engine-udp-only', { reason: udpOnly });
  return {
    dataPlane: new EngineDataPlane(native, inbox, nowMs),
    transport: new EngineTransport(native, inbox),
  };
}

/** Threads in each direction: the rest of the cores is for the kernel, the program and those who use the tunnel. */
export function automaticWorkers(cores: number = availableParallelism()): number {
  return Math.min(MAX_AUTOMATIC_WORKERS, Math.max(1, Math.floor(cores / CORES_PER_WORKER)));
}

/** Whether the engine has these algorithms (addon/cipher/suite.cc, addon/esp/ah.cc); in both modes. AH needs CAP_NET_RAW beside them. */
export function engineCarries({ protocol, encryption, integrity }: SaSuite): boolean {
  if (protocol === 'ah')
    return encryption === undefined && integrity !== undefined && INTEGRITY.has(integrity.name);
  if (encryption === undefined) return false;
  return integrity === undefined
    ? AEADS.has(encryption.mode)
    : CIPHERS.has(encryption.mode) && INTEGRITY.has(integrity.name);
}

/** Why the engine cannot work here, in words; undefined when nothing speaks against it. Opening may still fail (a port in use). */
export function engineAvailable(): string | undefined {
  try {
    loadAddon();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (!hasNetAdmin()) return "CAP_NET_ADMIN is missing; dataPlane 'portable' works without it";
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return "/dev/net/tun cannot be opened; dataPlane 'portable' needs no TUN device";
  }
  return undefined;
}

function hasNetAdmin(): boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  // Where the kernel does not say, opening will.
  return effective === undefined || ((BigInt(`0x${effective}`) >> NET_ADMIN_BIT) & 1n) === 1n;
}

/** What comes from the worker, on its way to whoever listens. A listener that throws must not stop the others. */
class Inbox {
  readonly #log: Log;
  onDatagram: ((datagram: Datagram) => void) | undefined;
  onEvent: ((event: DataPlaneEvent) => void) | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  deliver(datagrams: readonly NativeDatagram[], events: readonly NativeEvent[]): void {
    for (const datagram of datagrams)
      this.#guard(() =>
        this.onDatagram?.({
          local: { address: formatAddress(datagram.local), port: datagram.localPort },
          remote: { address: formatAddress(datagram.remote), port: datagram.remotePort },
          natt: datagram.natt,
          data: datagram.data,
        }),
      );
    for (const event of events) this.#guard(() => this.#event(event));
  }

  #event(event: NativeEvent): void {
    switch (event.type) {
      case 'acquire':
        this.onEvent?.({ type: 'acquire', policyId: event.id, packet: event.packet });
        break;
      case 'expire':
        this.onEvent?.({ type: 'expire', saId: event.id, hard: event.hard });
        break;
      case 'mapping': {
        const remote = { address: formatAddress(event.remote), port: event.remotePort };
        this.onEvent?.({ type: 'mapping', saId: event.id, remote });
        break;
      }
      case 'tun-lost':
        this.#log.error('engine-tun-lost', {
          reason: 'somebody removed the TUN device; no traffic passes',
        });
        break;
    }
  }

  #guard(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#log.error('engine-listener-failed', { error: String(error) });
    }
  }
}

class EngineDataPlane implements DataPlane, CapturePlane {
  readonly name = 'engine';
  readonly udpEncapsulationOnly: boolean;
  /** The kernel cuts and joins datagrams of UDP, and does not with raw packets. */
  readonly prefersUdpEncapsulation = true;
  readonly #native: NativeEngine;
  readonly #inbox: Inbox;
  readonly #nowMs: () => number;
  /** The last answer before the engine was closed. */
  #lastStats: DataPlaneStats | undefined;

  constructor(native: NativeEngine, inbox: Inbox, nowMs: () => number) {
    this.#native = native;
    this.#inbox = inbox;
    this.#nowMs = nowMs;
    this.udpEncapsulationOnly = native.udpOnly() !== undefined;
  }

  get #closed(): boolean {
    return this.#lastStats !== undefined;
  }

  supports(suite: SaSuite): boolean {
    return engineCarries(suite) && (suite.protocol === 'esp' || !this.udpEncapsulationOnly);
  }

  onEvent(listener: (event: DataPlaneEvent) => void): void {
    this.#inbox.onEvent = listener;
  }

  allocateSpi(done: (result: Result<number>) => void): void {
    let spi = 0;
    const error = this.#attempt(() => {
      spi = this.#native.allocateSpi();
    });
    done(error === undefined ? ok(spi) : fail(error.code, error.message));
  }

  releaseSpi(spi: number): void {
    if (!this.#closed) this.#native.releaseSpi(spi);
  }

  addSa(sa: SaParameters, done: (error?: ErrorInfo) => void): void {
    if (this.#closed) done(CLOSED);
    // The engine goes by transform numbers, and more than one algorithm may have the same.
    else if (!this.supports(sa)) {
      const name = [sa.encryption, sa.integrity].flatMap((row) => row?.name ?? []).join('-');
      done({ code: 'ERR_IKE_ALGORITHM', message: `the engine has no ${name}` });
    } else done(this.#attempt(() => this.#native.addSa(nativeSa(sa))));
  }

  updateSa(id: number, path: { readonly local: Endpoint; readonly remote: Endpoint }): void {
    if (!this.#closed) this.#native.updateSa(id, nativeEndpoint(path.local), nativeEndpoint(path.remote));
  }

  deleteSa(id: number): void {
    if (!this.#closed) this.#native.deleteSa(id);
  }

  querySa(id: number): SaCounters | undefined {
    const counters = this.#closed ? undefined : this.#native.querySa(id);
    if (counters === undefined) return undefined;
    const { idleMs, ...rest } = counters;
    // At least 1: zero means that there was no packet.
    return { ...rest, lastUsedMs: idleMs < 0 ? 0 : Math.max(1, this.#nowMs() - idleMs) };
  }

  addPolicy(policy: Policy, done: (error?: ErrorInfo) => void): void {
    done(this.#attempt(() => this.#native.addPolicy(policy)));
  }

  deletePolicy(id: number): void {
    if (!this.#closed) this.#native.deletePolicy(id);
  }

  addAddress(address: string, done: (error?: ErrorInfo) => void): void {
    done(this.#attempt(() => this.#native.addAddress(toBytes(address))));
  }

  removeAddress(address: string): void {
    this.#attempt(() => this.#native.removeAddress(toBytes(address)));
  }

  stats(): DataPlaneStats {
    return this.#lastStats ?? this.#native.stats();
  }

  startCapture({ side, path, maxBytes, snapBytes }: CaptureSpec): void {
    if (this.#closed) throw new SystemError(CLOSED.code, CLOSED.message);
    systemErrors(() => this.#native.startCapture(side, path, maxBytes, snapBytes));
  }

  stopCapture(side: CaptureSide): CaptureCounts {
    return this.#closed ? { packets: 0, missed: 0 } : this.#native.stopCapture(side);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#lastStats = this.#native.stats();
    this.#inbox.onEvent = undefined;
    this.#native.closeTunnel();
  }

  /** A command's failure as a value. */
  #attempt(command: () => void): ErrorInfo | undefined {
    if (this.#closed) return CLOSED;
    try {
      command();
      return undefined;
    } catch (error) {
      return errorInfo(error);
    }
  }
}

class EngineTransport implements Transport {
  readonly ports: { readonly ike: number; readonly natt: number };
  readonly #native: NativeEngine;
  readonly #inbox: Inbox;
  #closed = false;

  constructor(native: NativeEngine, inbox: Inbox) {
    this.#native = native;
    this.#inbox = inbox;
    this.ports = Object.freeze(native.ports());
  }

  onDatagram(listener: (datagram: Datagram) => void): void {
    this.#inbox.onDatagram = listener;
  }

  send(datagram: Datagram): void {
    if (this.#closed) return;
    const remote = toBytes(datagram.remote.address);
    const local = parseAddress(datagram.local.address) ?? UNSPECIFIED[remote.length];
    this.#native.send(local, remote, datagram.remote.port, datagram.natt, datagram.data);
  }

  async localAddressFor(remote: Endpoint): Promise<string> {
    if (this.#closed) throw new SystemError('ERR_IKE_CLOSED', 'the transport is closed');
    return systemErrors(() =>
      formatAddress(this.#native.localAddressFor(toBytes(remote.address), remote.port)),
    );
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.onDatagram = undefined;
    this.#native.closeSockets();
  }
}

/** SaParameters in the form that the addon reads. */
export function nativeSa(sa: SaParameters): NativeSa {
  return {
    id: sa.id,
    direction: sa.direction,
    protocol: sa.protocol,
    mode: sa.mode,
    spi: sa.spi,
    policyId: sa.policyId,
    local: nativeEndpoint(sa.local),
    remote: nativeEndpoint(sa.remote),
    udpEncapsulation: sa.udpEncapsulation,
    encryption: sa.encryption?.id ?? 0,
    encryptionKey: sa.encryptionKey ?? new Uint8Array(),
    integrity: sa.integrity?.id ?? 0,
    integrityKey: sa.integrityKey ?? new Uint8Array(),
    esn: sa.esn,
    replayWindow: sa.replayWindow,
    localTs: sa.localTs,
    remoteTs: sa.remoteTs,
    limits: {
      softBytes: sa.limits?.softBytes ?? 0,
      hardBytes: sa.limits?.hardBytes ?? 0,
      softPackets: sa.limits?.softPackets ?? 0,
      hardPackets: sa.limits?.hardPackets ?? 0,
    },
    copyDscp: sa.header?.copyDscp ?? 'out',
    ecn: sa.header?.ecn ?? true,
    tfcBytes: sa.tfcBytes ?? 0,
    outerSaId: sa.outerSaId ?? 0,
  };
}

function nativeEndpoint(endpoint: Endpoint): { address: Uint8Array; port: number } {
  return { address: toBytes(endpoint.address), port: endpoint.port };
}

function toBytes(address: string): Uint8Array {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new SystemError('ERR_IKE_NO_ADDRESS', `not an IP address: ${address}`);
  return bytes;
}

/** Runs a native call; its failure becomes the error class of the public API. */
function systemErrors<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof SystemError) throw error;
    const { code, message } = errorInfo(error);
    throw new SystemError(code, message, { cause: error });
  }
}

function errorInfo(error: unknown): ErrorInfo {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_IKE_SYSTEM';
  return { code, message: error instanceof Error ? error.message : String(error) };
}
