// The configurations that stories begin with: two sites, 192.0.2.1 in front of 10.1.0.0/16 and 192.0.2.2 in front of 10.2.0.0/16.

import assert from 'node:assert/strict';
import { type ConfigInput, parseConfig } from '../../lib/config/parse.ts';
import type { Config } from '../../lib/config/types.ts';
import type { Gateway } from './gateway.ts';
import type { World } from './world.ts';

export const A = '192.0.2.1';
export const B = '192.0.2.2';
const NETWORK: Readonly<Record<string, string>> = { [A]: '10.1.0.0/16', [B]: '10.2.0.0/16' };

type ConnectionInput = NonNullable<NonNullable<ConfigInput['connections']>[string]>;
type ChildInput = NonNullable<NonNullable<ConnectionInput['children']>[string]>;

export interface SiteOptions {
  readonly connection?: ConnectionInput;
  /** Added to the child `net`. */
  readonly child?: ChildInput;
  /** In place of the child `net`. */
  readonly children?: Record<string, ChildInput>;
  readonly top?: Omit<ConfigInput, 'connections'>;
}

/** The site at `own`, whose only connection `peer` leads to `other`. */
export function site(own: string, other: string, options: SiteOptions = {}): Config {
  const net: ChildInput = {
    localTs: [NETWORK[own] ?? '10.9.0.0/16'],
    remoteTs: [NETWORK[other] ?? '10.9.0.0/16'],
    espProposals: ['aes128gcm16'],
    ...options.child,
  };
  const { local, remote, ...connection } = options.connection ?? {};
  return parseConfig({
    ...options.top,
    connections: {
      peer: {
        proposals: ['aes128gcm16-prfsha256-curve25519'],
        ...connection,
        local: { address: own, id: own === A ? 'a.example' : 'b.example', ...local },
        remote: {
          address: other,
          id: other === B ? 'b.example' : 'a.example',
          auth: { psk: 'a secret of the simulation' },
          ...remote,
        },
        children: options.children ?? { net },
      },
    },
  });
}

/** Both sites, `a` initiates; the story begins when one IKE SA and its children are up and all is calm. */
export function connected(
  world: World,
  both: SiteOptions = {},
  own: { readonly a?: SiteOptions; readonly b?: SiteOptions } = {},
): { readonly a: Gateway; readonly b: Gateway } {
  const a = world.gateway('a', A, site(A, B, { ...both, ...own.a }));
  const b = world.gateway('b', B, site(B, A, { ...both, ...own.b })).start();
  a.start();
  for (const child of Object.keys(a.config.connections['peer']?.children ?? {})) {
    a.endpoint.initiate('peer', child, world.order(a));
  }
  const names = Object.keys(a.config.connections['peer']?.children ?? {});
  const up = world.runUntil(
    () => world.quiet && [a, b].every(({ children }) => children.length === names.length),
    60_000,
  );
  assert.ok(up, `not up:\n${world.story.join('\n')}`);
  return { a, b };
}
