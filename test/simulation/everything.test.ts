// Everything at once: configurations, faults, orders, crashes and cuts are all drawn from the seed. Two gateways that want the same
// Child SAs must have them in the end, agree on them, and have nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Random } from '../fuzz/mutate.ts';
import { agreed, assertAgreed, playSeeds } from './check.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions, site } from './sites.ts';
import { CALM, World } from './world.ts';

const SEEDS = 1200;
const IKE_PROPOSALS = [
  'aes128gcm16-prfsha256-curve25519',
  'aes128gcm16-prfsha256-ecp256-curve25519',
  'aes128gcm16-prfsha256-curve25519-ecp256',
  'aes256-sha256-aes128-prfsha384-prfsha256-curve25519',
];
const ESP_PROPOSALS = [
  'aes128gcm16',
  'aes128gcm16-curve25519',
  'aes128gcm16-ecp256-curve25519',
  'aes256-sha512-esn-noesn-curve25519',
];

function pick<T>(random: Random, ...choices: readonly T[]): T {
  return choices[random.below(choices.length)] as T;
}

/** A port of the gateways themselves: what transport mode can protect, and tunnel mode as well. */
function hosts(own: 1 | 2, i: number, mode: 'transport' | 'tunnel'): SiteOptions['child'] {
  const [here, there] = own === 1 ? [A, B] : [B, A];
  return { mode, localTs: [`${here}[tcp/${1000 + i}]`], remoteTs: [`${there}[tcp/${1000 + i}]`] };
}

/** What both sides have in common, and how many children. */
function draw(
  random: Random,
  names: readonly string[],
): (own: 1 | 2, start: 'start' | 'none') => SiteOptions {
  const proposals = [IKE_PROPOSALS[random.below(4)] ?? '', IKE_PROPOSALS[0] ?? ''];
  const espProposals = [ESP_PROPOSALS[random.below(4)] ?? '', 'aes128gcm16-curve25519', 'aes128gcm16'];
  const kind = pick(random, 'esp', 'esp', 'ah', 'volume', 'transport', 'declined');
  // With `never` a collision may leave both IKE SAs, as it says.
  const unique = pick(random, 'replace', 'keep');
  const cookieThreshold = pick(random, 0, 32);
  return (own, start) => ({
    top: { limits: { cookieThreshold } },
    connection: {
      // Each side with an order of its own: groups have to be asked for.
      proposals: random.below(2) === 0 ? proposals : [...proposals].reverse(),
      unique,
      rekeyTime: pick(random, '20m', '1h'),
      rekeyJitter: '19m',
      overTime: '20m',
      dpdDelay: pick(random, '10s', '30s'),
      retry: pick(random, '1s', '10s'),
    },
    children: Object.fromEntries(
      names.map((name, i) => [
        name,
        {
          ...(kind === 'transport' || kind === 'declined'
            ? hosts(own, i, kind === 'declined' && own === 2 ? 'tunnel' : 'transport')
            : { localTs: [`10.${own}.${i}.0/24`], remoteTs: [`10.${3 - own}.${i}.0/24`] }),
          ...(kind === 'ah' ? { ahProposals: ['sha256-curve25519', 'sha512'] } : { espProposals }),
          ...(kind === 'volume' ? { rekeyBytes: '10M', lifePackets: 10_000, tfcPadding: 1400 } : {}),
          start,
          rekeyTime: '15m',
          rekeyJitter: '14m',
          lifeTime: '40m',
        },
      ]),
    ),
  });
}

function act(world: World, own: Gateway, other: Gateway, names: readonly string[]): void {
  const name = pick(world.random, ...names);
  const kind = pick(
    world.random,
    'child',
    'ike',
    'child',
    'ike',
    'up',
    'end',
    'end all',
    'crash',
    'cut',
    'soft',
  );
  world.note(`${own.name}: ${kind} ${name}`);
  const { endpoint } = own;
  const wait = world.random.below(30_000);
  switch (kind) {
    case 'child':
      return endpoint.rekeyChild('peer', name, world.order(own));
    case 'ike':
      return endpoint.rekeyIke('peer', world.order(own));
    case 'up':
      return endpoint.initiate('peer', name, world.order(own));
    case 'end':
      return endpoint.terminate('peer', name, world.order(own));
    case 'end all':
      return endpoint.terminate('peer', undefined, world.order(own));
    case 'soft':
      return own.plane.raise({
        type: 'expire',
        saId: own.children[0]?.[pick(world.random, 'inId', 'outId')] ?? 0,
        hard: world.random.below(3) === 0,
      });
    case 'crash':
      own.crash();
      return world.after(wait, `${own.name} is back`, () => own.start());
    case 'cut':
      world.cut(own, other);
      return world.after(wait * 4, 'the network is back', () => world.join(own, other));
    default:
      kind satisfies never;
  }
}

test('RFC 7296 §2.8, §2.25: whatever happens to whatever configuration, in the end both agree and nothing is left over', () => {
  playSeeds(SEEDS, (seed, told) => {
    const world = new World(seed, { slowPlanes: seed % 2 === 0, keyExchange: 'cheap' });
    told(world);
    const { random } = world;
    const names = ['one', 'two', 'three'].slice(0, 1 + random.below(3));
    const drawn = draw(random, names);
    const oneSided = random.below(3) === 0;
    const a = world.gateway('a', A, site(A, B, drawn(1, 'start')));
    const b = world.gateway('b', B, site(B, A, drawn(2, oneSided ? 'none' : 'start')));
    world.after(random.below(2000), 'a starts', () => a.start());
    world.after(random.below(2000), 'b starts', () => b.start());
    world.faults = {
      loss: pick(random, 0, 0.05, 0.2),
      duplication: pick(random, 0, 0.1),
      leastDelayMs: 1,
      mostDelayMs: pick(random, 5, 100, 1000),
    };
    world.run(random.below(20_000));
    for (let round = 1 + random.below(12); round > 0; round--) {
      for (const [own, other] of [
        [a, b],
        [b, a],
      ] as const) {
        world.after(random.below(100), '', () => act(world, own, other, names));
      }
      world.run(random.below(pick(random, 500, 5000, 60_000)));
    }
    world.run(200_000);
    world.faults = CALM;
    world.run(400_000);
    world.note('both are told to bring all up again');
    for (const gateway of oneSided ? [a] : [a, b]) {
      for (const name of names) gateway.endpoint.initiate('peer', name, world.order(gateway));
    }
    world.run(100_000);
    if (!world.runUntil(() => world.quiet && agreed(a, b, { children: names }), 900_000)) {
      assertAgreed(a, b, { children: names });
      assert.fail('there is no end');
    }
    world.assertOrdersTold();
  });
});
