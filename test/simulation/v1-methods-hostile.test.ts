// Every authentication method of IKEv1 on a rough network and among strangers who change, repeat and make up messages: in the end both agree, or
// nothing is up; nothing throws, and nothing is left.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeV1Message, encodeV1Message, withV1Body } from '../../lib/ike/wire/v1/codec.ts';
import type { Received } from '../../lib/ike/wire/v1/message.ts';
import { mutate, Random, repairLength } from '../fuzz/mutate.ts';
import { playSeeds } from './check.ts';
import { A, B, type SiteOptions } from './sites.ts';
import { encrypting, type Sites, signing } from './v1-methods.ts';
import { assertV1Agreed, type Both, established, up, v1Agreed, v1Sas, v1Site } from './v1-story.ts';
import { CALM, type Packet, ROUGH, World } from './world.ts';

const MORE = { retry: '1s' } as const;
const METHODS: readonly (readonly [string, (more: object) => Sites])[] = [
  ['RFC 2409 §5.1: RSA signatures', (more) => signing('rsa2048', { ...MORE, ...more })],
  ['RFC 4754 §4: ECDSA', (more) => signing('p256', { ...MORE, ...more })],
  ['RFC 2409 §5.2: public-key encryption', (more) => encrypting('original', { ...MORE, ...more })],
  ['RFC 2409 §5.3: revised encryption', (more) => encrypting('revised', { ...MORE, ...more })],
];
const ENCRYPTED_AT = 19;

/** Both, of which `a` wants the child up. */
function begin(world: World, sites: Sites): Both {
  const wants = (one: SiteOptions, start: 'start' | 'none'): SiteOptions => ({ ...one, child: { start } });
  const b = world.gateway('b', B, v1Site(B, A, wants(sites.b, 'none'))).start();
  const a = world.gateway('a', A, v1Site(A, B, wants(sites.a, 'start'))).start();
  return { a, b };
}

for (const [title, make] of METHODS)
  for (const aggressive of [false, true]) {
    const mode = aggressive ? 'Aggressive Mode' : 'Main Mode';

    test(`${title}: through 20 % loss, repetition and reordering both agree, ${mode}`, () => {
      playSeeds(12, (seed, told) => {
        const world = new World(seed, { faults: ROUGH, keyExchange: 'cheap', slowPlanes: seed % 2 === 0 });
        told(world);
        const both = begin(world, make({ aggressive }));
        world.runUntil(() => [both.a, both.b].every((one) => established(one, ['net'])), 120_000);
        world.faults = CALM;
        if (!world.runUntil(() => v1Agreed(both, ['net']), 900_000)) assertV1Agreed(both, ['net']);
      });
    });

    test(`${title}: a changed copy in front of every message that has keys ends nothing, ${mode}`, () => {
      playSeeds(12, (seed, told) => {
        const world = new World(seed, { keyExchange: 'cheap' });
        told(world);
        const random = new Random(seed);
        world.filter = (packet) => {
          // Of Aggressive Mode's last message the NAT-D are proved by nothing, and of what is in clear nothing is proved before the hash.
          const data = repairLength(mutate(random, packet.data));
          if ((packet.data[ENCRYPTED_AT] & 1) !== 0 && !aggressive) world.inject({ ...packet, data });
          return true;
        };
        const both = begin(world, make({ aggressive }));
        const done = world.runUntil(
          () => [both.a, both.b].every((one) => established(one, ['net'])),
          600_000,
        );
        assert.ok(done, world.story.join('\n'));
        world.filter = () => true;
        world.run(40_000);
        assertV1Agreed(both, ['net']);
      });
    });

    test(`${title}: changed messages in clear come to nothing worse than another try, ${mode}`, () => {
      playSeeds(12, (seed, told) => {
        const world = new World(seed, { keyExchange: 'cheap' });
        told(world);
        const random = new Random(seed);
        let left = 30;
        world.filter = (packet) => {
          const clear = (packet.data[ENCRYPTED_AT] & 1) === 0;
          if (!clear || left-- <= 0) return true;
          world.inject({ ...packet, data: repairLength(changed(random, packet)) });
          return random.below(2) === 0;
        };
        const both = begin(world, make({ aggressive }));
        world.run(120_000);
        world.filter = () => true;
        // Of vendor ids and NAT-D no hash is made: what is up may be of no use, and so another one is made.
        for (const one of [both.a, both.b]) one.endpoint.terminate('peer', undefined, world.order(one));
        world.run(60_000);
        both.a.endpoint.initiate('peer', 'net', world.order(both.a));
        if (!world.runUntil(() => v1Agreed(both, ['net']), 100_000)) assertV1Agreed(both, ['net']);
      });
    });

    test(`${title}: messages of a story played again, changed or not, change nothing, ${mode}`, () => {
      const world = new World(3, { keyExchange: 'cheap' });
      const sites = make({ aggressive, dpdDelay: '5s' });
      const both = up(world, {}, sites);
      world.run(20_000);
      const recorded = [...world.wire];
      const random = new Random(3);
      const before = [both.a, both.b].map((one) => one.endpoint.sas());
      for (let n = 0; n < 200; n++) {
        const packet = recorded[random.below(recorded.length)];
        const data = random.below(2) === 0 ? packet.data.slice() : repairLength(changed(random, packet));
        world.inject({ ...packet, data });
        if (n % 20 === 0) world.run(500);
      }
      world.run(100_000);
      assert.deepEqual(
        [both.a, both.b].map((one) => one.endpoint.sas()),
        before,
      );
      assertV1Agreed(both, ['net']);
      for (const one of [both.a, both.b]) assert.equal(one.endpoint.table.halfOpen, 0);
      both.a.endpoint.terminate('peer', undefined, world.order(both.a));
      world.run(60_000);
      for (const one of [both.a, both.b]) {
        assert.equal(v1Sas(one).length, 0);
        assert.ok(one.secrets.every((secret) => secret.every((byte) => byte === 0)));
        assert.equal(one.timers.size, 0);
      }
    });
  }

/** Changed anywhere, or a body replaced, so that what is encrypted is reached as often as what is not. */
function changed(random: Random, { data }: Packet): Uint8Array {
  const message = decodeV1Message(data);
  if (!message.ok || random.below(2) === 0) return mutate(random, data);
  const { header, payloads } = message.value;
  const at = random.below(payloads.length);
  const body = [
    () => random.bytes(payloads[at].body.length),
    () => random.bytes(random.below(300)),
    () => payloads[at].body.subarray(0, random.below(payloads[at].body.length + 1)),
    () => payloads[random.below(payloads.length)].body,
  ][random.below(4)]();
  const other = withV1Body(payloads[at], body);
  if (!other.ok) return mutate(random, data);
  const all: Received[] = payloads.map((one, index) => (index === at ? other.value : one));
  return encodeV1Message(header, random.below(4) === 0 ? [...all].reverse() : all);
}
