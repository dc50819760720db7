// The configurations that scenarios start from: one tunnel between the networks behind the hosts, the same for our gateway and
// for strongSwan, with whatever a scenario wants otherwise.

import type { ConfigInput } from '../../../lib/index.ts';
import type { Section } from './conf.ts';
import type { Host } from './network.ts';

export const PSK = 'a key of the interop lab';

type ConnectionInput = NonNullable<ConfigInput['connections']>[string];
type ChildInput = NonNullable<ConnectionInput['children']>[string];

export interface OurSettings {
  /** Laid over the whole configuration. */
  readonly top?: Omit<ConfigInput, 'connections'>;
  /** Laid over the connection `site`. */
  readonly connection?: Omit<ConnectionInput, 'local' | 'remote' | 'children'>;
  readonly psk?: string;
  /** Laid over the child `net`. */
  readonly child?: ChildInput;
  /** In place of the one child `net`. */
  readonly children?: Record<string, ChildInput>;
  /** Answers any address: the peer is behind a NAT. */
  readonly anyPeer?: boolean;
  /** Takes any identity that has the key. */
  readonly anyId?: boolean;
}

/** Our gateway: connection `site` with the child `net`. Retransmits quickly, so that failures come soon. */
export function ours(here: Host, there: Host, settings: OurSettings = {}): ConfigInput {
  return {
    dataPlane: 'engine',
    listen: { addresses: [here.outer] },
    retransmit: { timeout: '500ms', base: 1.5, tries: 4, jitter: 0 },
    ...settings.top,
    connections: {
      site: {
        proposals: ['aes128gcm16-prfsha256-curve25519'],
        ...settings.connection,
        local: { address: here.outer, id: idOf(here) },
        remote: {
          address: settings.anyPeer ? '%any' : there.seenAs,
          ...(settings.anyId ? {} : { id: idOf(there) }),
          auth: { psk: settings.psk ?? PSK },
        },
        children: settings.children ?? {
          net: {
            localTs: [here.network],
            remoteTs: [there.network],
            espProposals: ['aes128gcm16'],
            ...settings.child,
          },
        },
      },
    },
  };
}

export interface TheirSettings {
  readonly connection?: Section;
  readonly child?: Section;
  readonly children?: Section;
  readonly psk?: string;
  readonly anyPeer?: boolean;
  /** Takes any identity that has the key. */
  readonly anyId?: boolean;
}

/** The same connection for strongSwan. */
export function theirs(here: Host, there: Host, settings: TheirSettings = {}): Section {
  return {
    connections: {
      site: {
        version: 2,
        local_addrs: here.outer,
        remote_addrs: settings.anyPeer ? '%any' : there.seenAs,
        proposals: 'aes128gcm16-prfsha256-curve25519',
        // Its ESP in user space exists in UDP only.
        encap: true,
        ...settings.connection,
        local: { auth: 'psk', id: idOf(here) },
        remote: { auth: 'psk', id: settings.anyId ? '%any' : idOf(there) },
        children: settings.children ?? {
          net: {
            local_ts: here.network,
            remote_ts: there.network,
            esp_proposals: 'aes128gcm16',
            ...settings.child,
          },
        },
      },
    },
    secrets: { ike: { secret: `"${settings.psk ?? PSK}"` } },
  };
}

/** The identity of a host. */
export function idOf(host: Host): string {
  return `${host.name}.example.com`;
}
