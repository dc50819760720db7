// Every authentication method of IKEv1, in Main Mode and in Aggressive Mode, begun by either side: what comes up, and what a wrong key or a
// wrong name comes to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { A, B } from './sites.ts';
import { encrypting, expired, issue, own, publicHalf, type Sites, signing } from './v1-methods.ts';
import { assertV1Agreed, type Both, established, pair, up, v1Sas, v1Site } from './v1-story.ts';
import { World } from './world.ts';

const METHODS: readonly (readonly [number, string, (more: object) => Sites])[] = [
  [3, 'RFC 2409 §5.1: RSA signatures', (more) => signing('rsa2048', more)],
  [9, 'RFC 4754 §4: ECDSA on P-256', (more) => signing('p256', more)],
  [10, 'RFC 4754 §4: ECDSA on P-384', (more) => signing('p384', more)],
  [11, 'RFC 4754 §4: ECDSA on P-521', (more) => signing('p521', more)],
  [4, 'RFC 2409 §5.2: public-key encryption', (more) => encrypting('original', more)],
  [4, 'RFC 2409 §5.2: public-key encryption with bare keys', (more) => encrypting('original', more, 'bare')],
  [5, 'RFC 2409 §5.3: revised public-key encryption', (more) => encrypting('revised', more)],
  [
    5,
    'RFC 2409 §5.3: the same with 256-bit keys of a 160-bit hash',
    (more) => encrypting('revised', { ...more, proposals: ['aes256-sha1-ecp256'] }, 'bare', 'rsa3072'),
  ],
];

function modeName(aggressive: boolean): string {
  return aggressive ? 'Aggressive Mode' : 'Main Mode';
}

for (const aggressive of [false, true])
  for (const [number, title, make] of METHODS)
    test(`${title}: both hold the same keys, ${modeName(aggressive)}`, () => {
      const world = new World(1);
      const both = up(world, {}, make({ aggressive }));
      assertV1Agreed(both, ['net']);
      for (const gateway of [both.a, both.b]) {
        const [ike] = v1Sas(gateway);
        assert.equal(ike.suite?.method.number, number);
        assert.equal(ike.remoteId?.text, gateway === both.a ? 'b.example' : 'a.example');
        assert.deepEqual(gateway.failures, []);
        assert.equal(gateway.plane.sas.size, 2);
      }
      // The other way round, and again under the same configuration.
      both.b.endpoint.rekeyIke('peer', world.order(both.b));
      world.run(60_000);
      assertV1Agreed(both, ['net']);
      world.assertOrdersTold();
      both.a.endpoint.terminate('peer', undefined, world.order(both.a));
      world.run(60_000);
      for (const gateway of [both.a, both.b]) {
        assert.ok(gateway.secrets.every((secret) => secret.every((byte) => byte === 0)));
        assert.equal(gateway.timers.size, 0);
      }
    });

/** Nothing comes up, somebody says why, and nothing is left. */
function assertRefused(world: World, { a, b }: Both, who: 'a' | 'b'): void {
  a.endpoint.initiate('peer', 'net', world.order(a));
  world.run(400_000);
  assert.deepEqual([...new Set((who === 'a' ? a : b).failures)], ['authentication'], world.story.join('\n'));
  assert.equal(b.plane.sas.size, 0);
  // After Aggressive Mode nobody tells the initiator that he was not believed: he finds nobody there.
  a.endpoint.terminate('peer', undefined, world.order(a));
  world.run(60_000);
  for (const gateway of [a, b]) {
    assert.equal(v1Sas(gateway).length, 0);
    assert.equal(gateway.timers.size, 0);
    assert.equal(gateway.exchanging, 0);
    assert.ok(gateway.secrets.every((secret) => secret.every((byte) => byte === 0)));
  }
  world.assertOrdersTold();
}

for (const aggressive of [false, true]) {
  const more = { aggressive };
  const mode = modeName(aggressive);
  for (const key of ['rsa2048', 'p256'] as const) {
    test(`RFC 2409 §5.1: a certificate for another name is refused by either side, ${key}, ${mode}`, () => {
      for (const liar of ['a', 'b'] as const) {
        const world = new World(3);
        const sites = signing(key, more);
        const local = { auth: own('somebody.else', key), id: 'somebody.else.example' };
        const other = { connection: { ...sites[liar].connection, local } };
        const both = pair(world, {}, { ...sites, [liar]: other });
        assertRefused(world, both, liar === 'a' ? 'b' : 'a');
      }
    });

    test(`RFC 2409 §5.1: a signature by another key is refused by either side, ${key}, ${mode}`, () => {
      for (const liar of ['a', 'b'] as const) {
        const world = new World(4);
        const sites = signing(key, more);
        const judge = liar === 'a' ? 'b' : 'a';
        const { connection } = sites[judge];
        // A key that is known beforehand, and not the one that signs.
        const remote = { ...connection?.remote, auth: { publicKey: publicHalf(issue('wrong', key)) } };
        const both = pair(world, {}, { ...sites, [judge]: { connection: { ...connection, remote } } });
        assertRefused(world, both, judge);
      }
    });
  }

  for (const mode5 of ['original', 'revised'] as const)
    test(`RFC 2409 §5.2 §5.3: ${mode5}: with a wrong key of either for the other nothing comes up, ${mode}`, () => {
      for (const liar of ['a', 'b'] as const) {
        const world = new World(5);
        const sites = encrypting(mode5, more);
        const { connection } = sites[liar];
        const wrong = issue('wrong', 'rsa2048').certificate;
        const remote = { ...connection?.remote, auth: { certificate: wrong } };
        const both = pair(world, {}, { ...sites, [liar]: { connection: { ...connection, remote } } });
        // What reaches the other is noise to it; it is the responder who can say so, or the initiator whom nobody could answer.
        assertRefused(world, both, liar === 'a' ? 'b' : 'a');
      }
    });

  test(`RFC 2409 §5.2: an identity that no connection is for is answered with noise, ${mode}`, () => {
    const world = new World(6);
    const sites = encrypting('original', more);
    const { connection } = sites.a;
    const local = {
      ...connection?.local,
      auth: own('somebody.else', 'rsa2048'),
      id: 'somebody.else.example',
    };
    const both = pair(world, {}, { ...sites, a: { connection: { ...connection, local } } });
    assertRefused(world, both, 'b');
  });
}

for (const aggressive of [false, true])
  test(`RFC 2409 §5.2: nothing is encrypted for a certificate that has expired, by either side, ${modeName(aggressive)}`, () => {
    for (const late of ['a', 'b'] as const) {
      const world = new World(9);
      const sites = encrypting('original', { aggressive });
      const judge = late === 'a' ? 'b' : 'a';
      const { connection } = sites[judge];
      const remote = { ...connection?.remote, auth: { certificate: expired(late).certificate } };
      const both = pair(world, {}, { ...sites, [judge]: { connection: { ...connection, remote } } });
      assertRefused(world, both, judge);
    }
  });

test('RFC 2409 §5.2: HASH(1) chooses among keys of ours, and the identity among those who use it', () => {
  for (const mode of ['original', 'revised'] as const)
    for (const aggressive of [false, true]) {
      const world = new World(7);
      const sites = encrypting(mode, { aggressive });
      const connection = sites.b.connection;
      const second = { auth: own('b.second', 'rsa2048'), id: 'b.second.example' };
      const others = {
        // Another key of ours, another peer with the same key of ours, then the one that it is.
        other: { ...connection, local: second },
        third: {
          ...connection,
          remote: { auth: { certificate: issue('c', 'rsa2048').certificate }, id: 'c.example' },
        },
        any: { ...connection, remote: { ...connection?.remote, id: '*.example' } },
        right: connection,
      };
      const connections = Object.fromEntries(
        Object.entries(others).map(([name, options]) => {
          const read = v1Site(B, A, options === undefined ? {} : { connection: options });
          return [name, { ...read.connections['peer'], name }];
        }),
      );
      const b = world.gateway('b', B, { ...v1Site(B, A, sites.b), connections }).start();
      const a = world.gateway('a', A, v1Site(A, B, sites.a)).start();
      a.endpoint.initiate('peer', 'net', world.order(a));
      const done = world.runUntil(() => [a, b].every((one) => established(one, ['net'])), 20_000);
      assert.ok(done, world.story.join('\n'));
      assert.equal(v1Sas(b)[0].connection.name, 'right');
    }
});

test('RFC 2408 §3.10: CERTREQ names the CA in both modes', () => {
  for (const aggressive of [false, true]) {
    const world = new World(8);
    const { a } = up(world, {}, signing('rsa2048', { aggressive }));
    const messages = a.eventsOf('message').map(({ message }) => message);
    for (const direction of ['sent', 'received'])
      assert.ok(messages.some((one) => one.direction === direction && one.payloads.includes('CR')));
  }
});
