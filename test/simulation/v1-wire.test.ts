// Exchanges that no other living daemon speaks, or that are no RFC's, seen by tshark: bundles, New Group Mode, XAuth and Mode-Config, NAT-OA.

import assert from 'node:assert/strict';
import { createDiffieHellmanGroup } from 'node:crypto';
import { test } from 'node:test';
import { skipWithoutTshark, valuesOf } from '../lib/tshark.ts';
import type { SiteOptions } from './sites.ts';
import { dissectWire } from './v1-dissect.ts';
import { withUsers } from './v1-methods.ts';
import { up } from './v1-story.ts';
import { World } from './world.ts';

const skip = skipWithoutTshark();
const PRIME = createDiffieHellmanGroup('modp14').getPrime('hex');
const ESP = { espProposals: ['aes128-sha256'] };

/** Both sites, and what tshark must have seen in some frame. */
const STORIES: readonly [
  what: string,
  sites: () => { readonly a: SiteOptions; readonly b: SiteOptions },
  seen: readonly (readonly [field: string, ...values: string[]])[],
][] = [
  [
    'RFC 2408 §4.2: two proposals of one number, AH and ESP',
    () => ({
      a: { child: { ...ESP, ahProposals: ['sha256'] } },
      b: { child: { ...ESP, ahProposals: ['sha256'] } },
    }),
    [
      ['isakmp.prop.number', '1', '1'],
      ['isakmp.prop.protoid', '2', '3'],
    ],
  ],
  [
    'RFC 2409 §5.6: New Group Mode with its prime',
    () => {
      const own: SiteOptions = {
        connection: { newGroups: { ours: { id: 40_000, prime: PRIME } } },
        child: { ...ESP, newGroup: 'ours' },
      };
      return { a: own, b: own };
    },
    [['isakmp.exchangetype', '33']],
  ],
  [
    'draft-dukes-ike-mode-cfg §3: XAuth, and an address with what goes with it',
    () => {
      const { a, b } = withUsers('psk');
      return {
        a: { connection: { ...a.connection, vips: ['0.0.0.0'] }, child: { localTs: [] } },
        b: {
          top: {
            pools: {
              road: { addresses: ['10.3.0.0/24'], dns: ['10.2.0.53'], splitInclude: ['10.2.0.0/16'] },
            },
          },
          connection: { ...b.connection, pools: ['road'] },
          child: { remoteTs: [] },
        },
      };
    },
    [['isakmp.exchangetype', '6']],
  ],
];

for (const [what, sites, seen] of STORIES)
  test(`${what}: tshark reads all of it`, { skip }, async () => {
    const world = new World(1);
    const both = up(world, {}, sites());
    const frames = await dissectWire(world, both);
    assert.deepEqual(
      frames.flatMap(({ frame, warnings }) => warnings.map((warning) => `${frame}: ${warning}`)),
      [],
    );
    assert.equal(frames.length, world.wire.length);
    for (const [field, ...values] of seen)
      assert.ok(
        frames.some((frame) => valuesOf(frame, field).join() === values.join()),
        `${field} is ${values.join(', ')} nowhere`,
      );
  });
