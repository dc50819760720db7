// Both sides do the same thing at the same moment, over a bad network: rekeyings of Child and IKE SAs, deletes, terminations,
// crashes and a long cut. When the faults are over and time has passed, both agree and nothing is left over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAgreed, playSeeds } from './check.ts';
import type { Gateway } from './gateway.ts';
import { A, B, type SiteOptions, site } from './sites.ts';
import { CALM, type Faults, ROUGH, World } from './world.ts';

const START = { child: { start: 'start' } } as const;
const PFS: SiteOptions = { child: { start: 'start', espProposals: ['aes128gcm16-curve25519'] } };
const SITES = [site(A, B, START), site(B, A, START)] as const;
const PFS_SITES = [site(A, B, PFS), site(B, A, PFS)] as const;
const MILD: Faults = { loss: 0.05, duplication: 0.05, leastDelayMs: 1, mostDelayMs: 100 };

type Act = (world: World, own: Gateway, other: Gateway) => void;

const rekeyChild: Act = (world, own) => own.endpoint.rekeyChild('peer', 'net', world.order(own));
const rekeyIke: Act = (world, own) => own.endpoint.rekeyIke('peer', world.order(own));
const rekeyEither: Act = (world, own, other) =>
  (world.random.below(2) === 0 ? rekeyChild : rekeyIke)(world, own, other);
const endChild: Act = (world, own) => own.endpoint.terminate('peer', 'net', world.order(own));
const endAll: Act = (world, own) => own.endpoint.terminate('peer', undefined, world.order(own));
const bringUp: Act = (world, own) => own.endpoint.initiate('peer', 'net', world.order(own));
const crash: Act = (world, own) => {
  own.crash();
  world.after(world.random.below(40_000), `${own.name} is back`, () => own.start());
};

interface Story {
  readonly seeds: number;
  /** What the two do, at moments that collide. */
  readonly acts: readonly Act[];
  readonly rounds: number;
  readonly pauseMs?: number;
  readonly faults?: readonly Faults[];
  readonly afterwards?: (world: World, a: Gateway, b: Gateway) => void;
}

function play(story: Story): void {
  playSeeds(story.seeds, (seed, told) => {
    const world = new World(seed, { slowPlanes: seed % 2 === 0, keyExchange: 'cheap' });
    told(world);
    const [configA, configB] = seed % 4 < 2 ? SITES : PFS_SITES;
    const a = world.gateway('a', A, configA).start();
    const b = world.gateway('b', B, configB);
    world.run(3000);
    b.start();
    world.run(120_000);
    assertAgreed(a, b, { children: ['net'] });
    const faults = story.faults ?? [CALM, MILD, ROUGH];
    world.faults = faults[world.random.below(faults.length)] ?? CALM;
    for (let round = 0; round < story.rounds; round++) {
      for (const [own, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const act = story.acts[world.random.below(story.acts.length)];
        if (act !== undefined)
          world.after(world.random.below(150), `${own.name}: ${act.name}`, () => act(world, own, other));
      }
      world.run(world.random.below(story.pauseMs ?? 8000));
    }
    story.afterwards?.(world, a, b);
    world.run(120_000);
    world.faults = CALM;
    world.run(500_000);
    if (story.acts.some((act) => act === endChild || act === endAll)) {
      world.note('both are told to bring it up again');
      for (const gateway of [a, b]) gateway.endpoint.initiate('peer', 'net', world.order(gateway));
      world.run(100_000);
    }
    assert.ok(
      world.runUntil(() => world.quiet, 120_000),
      'there is no end',
    );
    assertAgreed(a, b, { children: ['net'] });
    world.assertOrdersTold();
  });
}

test('RFC 7296 §2.8.1: Child SA rekeyings that collide leave one Child SA', () => {
  play({ seeds: 400, acts: [rekeyChild], rounds: 4 });
});

test('RFC 7296 §2.8.2: IKE SA rekeyings that collide leave one IKE SA with its Child SA', () => {
  play({ seeds: 400, acts: [rekeyIke], rounds: 4 });
});

test('RFC 7296 §2.25: rekeyings of both kinds that collide in any order leave one of each', () => {
  play({ seeds: 400, acts: [rekeyEither], rounds: 6, pauseMs: 3000 });
});

test('RFC 7296 §2.25.1: deletes of Child SAs that collide with rekeyings leave both sides of one mind', () => {
  play({ seeds: 300, acts: [rekeyEither, endChild, bringUp], rounds: 6, pauseMs: 3000 });
});

test('RFC 7296 §1.4.1: ends of whole connections that collide with everything leave both sides of one mind', () => {
  play({ seeds: 300, acts: [rekeyEither, endAll, bringUp, endChild], rounds: 6, pauseMs: 3000 });
});

test('RFC 7296 §2.4: a peer that crashes and comes back is connected again', () => {
  play({ seeds: 200, acts: [rekeyEither, crash], rounds: 3, pauseMs: 60_000 });
});

test('RFC 7296 §2.4: after five minutes without a network both are connected again', () => {
  play({
    seeds: 100,
    acts: [rekeyEither],
    rounds: 2,
    afterwards: (world, a, b) => {
      world.note('the network is cut');
      world.cut(a, b);
      world.run(300_000);
      world.note('the network is back');
      world.join(a, b);
    },
  });
});

test('RFC 7296 §2.8.2: what lost a collision is deleted by its maker at once, not by a timer later', () => {
  playSeeds(400, (seed, told) => {
    const world = new World(seed, { keyExchange: 'cheap' });
    told(world);
    const a = world.gateway('a', A, SITES[0]).start();
    const b = world.gateway('b', B, SITES[1]);
    world.run(3000);
    b.start();
    world.run(120_000);
    world.faults = CALM;
    for (const gateway of [a, b])
      world.after(world.random.below(30), `${gateway.name}: rekeyIke`, () =>
        rekeyIke(world, gateway, gateway),
      );
    // Long enough for every answer, too short for any retransmission to be given up.
    world.run(2000);
    const [atA, atB] = [a, b].map(({ endpoint }) => endpoint.sas().map(({ ike }) => ike.initiatorSpi));
    assert.equal(atA.length, 1, 'IKE SAs of a');
    assert.deepEqual(atB, atA);
  });
});
