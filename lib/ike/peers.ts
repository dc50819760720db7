// Which connections a peer that calls may mean, before anything is known but addresses.

import type { Connection } from '../config/types.ts';
import type { Host } from './host.ts';
import type { Datagram } from './runtime.ts';

/** Connections that a peer at this address may mean with this version of IKE, those with its very address first. */
export function connectionsBetween(host: Host, { local, remote }: Datagram, version: 1 | 2): Connection[] {
  return Object.values(host.config.connections)
    .filter(
      (connection) =>
        (connection.version === version || connection.version === 'any') &&
        // One that has nothing but shunts has no key and nothing to negotiate.
        (Object.keys(connection.shunts).length === 0 || Object.keys(connection.children).length > 0) &&
        (connection.localAddress === undefined || connection.localAddress === local.address) &&
        (connection.remoteAddress === undefined || connection.remoteAddress === remote.address),
    )
    .sort((a, b) => Number(a.remoteAddress === undefined) - Number(b.remoteAddress === undefined));
}
