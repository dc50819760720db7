// Binding the sockets of a node:dgram transport: two ports on each listen address, the same two on all of them, and errors
// that say which port, why, and what would work.

import { createSocket, type Socket } from 'node:dgram';
import { SystemError } from '../errors.ts';
import type { Log } from '../ike/runtime.ts';
import { formatEndpoint } from './address.ts';

export interface DgramListen {
  /** Canonical IPv4 or IPv6 addresses; wildcards are allowed. */
  readonly addresses: readonly string[];
  /** UDP ports; 0 takes a free one, the same for all addresses. */
  readonly port: number;
  readonly nattPort: number;
}

export interface BoundSocket {
  readonly socket: Socket;
  readonly address: string;
  readonly port: number;
  readonly natt: boolean;
  readonly ipv6: boolean;
  readonly wildcard: boolean;
}

/** A free port of the first address may be taken on the next one; so many are tried. */
const FREE_PORT_TRIES = 16;
/** What a burst may fill while JavaScript is busy; the kernel caps it. */
const BUFFER_BYTES = 4 << 20;

/** In place of Node's own binding: the file descriptor of a bound socket. Throws an error with an errno's name as its code. */
export type OpenSocket = (address: string, port: number, natt: boolean) => number;

/** Binds every socket, or none: those that were bound are closed when another one fails. */
export async function bindAll(
  { addresses, port, nattPort }: DgramListen,
  log: Log,
  open?: OpenSocket,
): Promise<readonly BoundSocket[]> {
  const ike = await bindPort(addresses, port, false, log, open);
  try {
    const natt = await bindPort(addresses, nattPort, true, log, open);
    return [...ike, ...natt];
  } catch (error) {
    await closeAll(ike);
    throw error;
  }
}

async function bindPort(
  addresses: readonly string[],
  port: number,
  natt: boolean,
  log: Log,
  open: OpenSocket | undefined,
): Promise<readonly BoundSocket[]> {
  for (let tries = 1; ; tries++) {
    const bound: BoundSocket[] = [];
    try {
      for (const address of addresses) {
        const next = await bindOne(address, bound[0]?.port ?? port, natt, addresses.length > 1, log, open);
        if (next !== undefined) bound.push(next);
      }
      if (bound.length === 0) throw new SystemError('ERR_IKE_LISTEN', 'no address to listen on');
      return bound;
    } catch (error) {
      await closeAll(bound);
      const taken = error instanceof SystemError && error.code === 'ERR_IKE_PORT_IN_USE';
      if (!taken || port !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

/** Undefined for `::` on a host without IPv6, where there are other addresses. */
async function bindOne(
  address: string,
  port: number,
  natt: boolean,
  optional: boolean,
  log: Log,
  open: OpenSocket | undefined,
): Promise<BoundSocket | undefined> {
  const ipv6 = address.includes(':');
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: BUFFER_BYTES,
    // Addresses are numbers here: nothing is to be looked up, and nothing to wait for.
    lookup: (host, _options, callback) => callback(null, host, ipv6 ? 6 : 4),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      // Exclusive: a worker of node:cluster must not share the socket with others, for they have other SAs.
      const where = open === undefined ? { port, address } : { fd: open(address, port, natt) };
      socket.bind({ ...where, exclusive: true }, () => {
        // From here on until the transport listens an error has nobody to go to.
        socket.on('error', () => {});
        socket.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    socket.close();
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (optional && address === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
      log.info('no-ipv6', { reason: code });
      return undefined;
    }
    throw code.startsWith('ERR_IKE_') ? error : bindError(code, address, port, natt, error);
  }
  const wildcard = address === '::' || address === '0.0.0.0';
  return { socket, address, port: socket.address().port, natt, ipv6, wildcard };
}

function bindError(code: string, address: string, port: number, natt: boolean, cause: unknown): SystemError {
  const where = `UDP port ${port} on ${address}`;
  const option = natt ? 'listen.nattPort' : 'listen.port';
  const error = (ikeCode: string, message: string): SystemError =>
    new SystemError(ikeCode, message, { cause });
  switch (code) {
    case 'EADDRINUSE':
      return error('ERR_IKE_PORT_IN_USE', `${where} is in use by another program; stop it or set ${option}`);
    case 'EACCES':
    case 'EPERM':
      return error(
        'ERR_IKE_PRIVILEGE',
        `${where} needs the capability CAP_NET_BIND_SERVICE; with ${option} set to 1024 or more, or to 0, it works without`,
      );
    case 'EADDRNOTAVAIL':
      return error('ERR_IKE_LISTEN', `no interface of this host has the address ${address}`);
    default:
      return error('ERR_IKE_LISTEN', `cannot listen on ${formatEndpoint({ address, port })}: ${code}`);
  }
}

function closeAll(sockets: readonly BoundSocket[]): Promise<unknown> {
  return Promise.all(
    sockets.map(({ socket }) => new Promise<void>((resolve) => socket.close(() => resolve()))),
  );
}
