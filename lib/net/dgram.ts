// The Transport over node:dgram, for hosts without the addon: each listen address has a socket for IKE and one for NAT
// traversal. In: what the second socket receives is parted by its first four bytes (RFC 3948 §2.2) into IKE, keepalives and ESP.
// Out: the socket is chosen by local address, the marker put before IKE. What fails is counted, never thrown.

import type { Socket } from 'node:dgram';
import { concat } from '../bytes.ts';
import type { Datagram, Log } from '../ike/runtime.ts';
import { type Endpoint, formatEndpoint } from './address.ts';
import { type BoundSocket, bindAll, type DgramListen, type OpenSocket } from './dgram-bind.ts';
import { RouteCache } from './route-cache.ts';
import type { Transport } from './transport.ts';

export type { DgramListen } from './dgram-bind.ts';

const NON_ESP_MARKER = new Uint8Array(4);
const KEEPALIVE = 0xff;
/** SPI and sequence number. */
const MIN_ESP_BYTES = 8;
/** Bytes that may wait in a socket for the kernel; beyond that datagrams are dropped, as a full queue does. */
const MAX_QUEUE_BYTES = 4 << 20;

/** Datagrams of strangers that may wait until it is known which local address they came to. */
const MAX_PENDING = 1024;

/** What a transport counts apart from what it delivers. */
export type DgramCounter =
  | 'keepalives'
  | 'short'
  /** IPv6 link-local senders: their addresses mean nothing without a zone, which endpoints do not have. */
  | 'link-local'
  | 'unroutable'
  | 'no-socket'
  | 'queue-full'
  | 'send-errors'
  | 'socket-errors';

/** A Transport that also carries ESP in UDP. */
export interface DgramTransport extends Transport {
  /** Where ESP packets go, SPI first. */
  onEsp(listener: (remote: Endpoint, esp: Uint8Array) => void): void;
  /** Sends an ESP packet from the NAT-T socket (RFC 3948 §2.1). The bytes must stay as they are until they have left. */
  sendEsp(local: Endpoint, remote: Endpoint, esp: Uint8Array): void;
  /** What was dropped or failed, by cause. */
  counters(): Readonly<Partial<Record<DgramCounter, number>>>;
}

/** Binds all sockets of `listen`. Rejects with a SystemError that says which port, why, and what would work. */
export async function openDgramTransport(
  listen: DgramListen,
  log: Log,
  open?: OpenSocket,
): Promise<DgramTransport> {
  return new UdpTransport(await bindAll(listen, log, open), log);
}

class UdpTransport implements DgramTransport {
  readonly ports: { readonly ike: number; readonly natt: number };
  readonly #sockets: readonly BoundSocket[];
  readonly #routes: RouteCache;
  readonly #log: Log;
  readonly #counters = new Map<DgramCounter, number>();
  readonly #countSendError = (error: Error | null): void => {
    if (error !== null) this.#count('send-errors');
  };
  #listener: (datagram: Datagram) => void = () => {};
  #espListener: (remote: Endpoint, esp: Uint8Array) => void = () => {};
  #pending = 0;
  #closed = false;

  constructor(sockets: readonly BoundSocket[], log: Log) {
    this.#sockets = sockets;
    this.#log = log;
    this.#routes = new RouteCache(sockets.map(({ address }) => address));
    this.ports = {
      ike: sockets.find(({ natt }) => !natt)?.port ?? 0,
      natt: sockets.find(({ natt }) => natt)?.port ?? 0,
    };
    for (const bound of sockets) {
      bound.socket.on('message', (message, { address, port }) => {
        const data = new Uint8Array(message.buffer, message.byteOffset, message.length);
        if (!this.#closed) this.#receive(bound, { address, port }, data);
      });
      bound.socket.on('error', (error) => {
        this.#count('socket-errors');
        this.#log.warn('socket-error', { address: bound.address, port: bound.port, error });
      });
    }
  }

  onDatagram(listener: (datagram: Datagram) => void): void {
    this.#listener = listener;
  }

  onEsp(listener: (remote: Endpoint, esp: Uint8Array) => void): void {
    this.#espListener = listener;
  }

  send({ local, remote, natt, data }: Datagram): void {
    const keepalive = data.length === 1 && data[0] === KEEPALIVE;
    this.#send(natt, local, remote, natt && !keepalive ? concat(NON_ESP_MARKER, data) : data);
  }

  sendEsp(local: Endpoint, remote: Endpoint, esp: Uint8Array): void {
    this.#send(true, local, remote, esp);
  }

  localAddressFor(remote: Endpoint): Promise<string> {
    return this.#routes.find(remote);
  }

  counters(): Readonly<Partial<Record<DgramCounter, number>>> {
    return Object.fromEntries(this.#counters);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#routes.close();
    await Promise.all(this.#sockets.map(({ socket }) => closeSocket(socket)));
  }

  #receive(bound: BoundSocket, remote: Endpoint, data: Uint8Array): void {
    if (remote.address.includes('%')) {
      this.#count('link-local');
    } else if (!bound.natt) {
      this.#deliver(bound, remote, data);
    } else if (data.length === 1 && data[0] === KEEPALIVE) {
      this.#count('keepalives');
    } else if (data.length < NON_ESP_MARKER.length) {
      this.#count('short');
    } else if (data[0] === 0 && data[1] === 0 && data[2] === 0 && data[3] === 0) {
      this.#deliver(bound, remote, data.subarray(NON_ESP_MARKER.length));
    } else if (data.length < MIN_ESP_BYTES) {
      this.#count('short');
    } else {
      this.#espListener(remote, data);
    }
  }

  /** node:dgram does not tell which local address a datagram came to: behind a wildcard it is the one that answers leave from. */
  #deliver({ address, port, natt, wildcard }: BoundSocket, remote: Endpoint, data: Uint8Array): void {
    const deliver = (localAddress: string): void => {
      if (!this.#closed) this.#listener({ local: { address: localAddress, port }, remote, natt, data });
    };
    const known = wildcard ? this.#routes.cached(remote) : address;
    if (known !== undefined) {
      deliver(known);
      return;
    }
    if (this.#routes.busy || this.#pending >= MAX_PENDING) {
      this.#count('unroutable');
      return;
    }
    this.#pending++;
    this.#routes
      .find(remote)
      .then(deliver, () => {
        this.#count('unroutable');
        this.#log.debug('no-route', { remote: formatEndpoint(remote) });
      })
      .finally(() => this.#pending--);
  }

  #send(natt: boolean, local: Endpoint, remote: Endpoint, data: Uint8Array): void {
    const socket = this.#closed ? undefined : this.#socketFor(natt, local.address);
    if (socket === undefined) {
      this.#count('no-socket');
      return;
    }
    if (socket.getSendQueueSize() > MAX_QUEUE_BYTES) {
      this.#count('queue-full');
      return;
    }
    try {
      socket.send(data, remote.port, remote.address, this.#countSendError);
    } catch {
      // A port or address that cannot be: the peer's problem, not the event loop's.
      this.#count('send-errors');
    }
  }

  #socketFor(natt: boolean, localAddress: string): Socket | undefined {
    const ipv6 = localAddress.includes(':');
    const candidates = this.#sockets.filter((bound) => bound.natt === natt && bound.ipv6 === ipv6);
    const exact = candidates.find(({ address }) => address === localAddress);
    return (exact ?? candidates.find(({ wildcard }) => wildcard))?.socket;
  }

  #count(counter: DgramCounter): void {
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + 1);
  }
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}
