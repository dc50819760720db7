// IKEv1 comes up: Main Mode and Aggressive Mode, Quick Modes with and without forward secrecy, AH and transport mode, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertV1Agreed, up, v1Children, v1Sas } from './v1-story.ts';
import { World } from './world.ts';

const AGGRESSIVE = { connection: { aggressive: true } };

for (const [title, options] of [
  ['RFC 2409 §5.4: Main Mode', {}],
  ['RFC 2409 §5.4: Aggressive Mode', AGGRESSIVE],
] as const)
  test(`${title} with a pre-shared key, then Quick Mode: both hold the same keys`, () => {
    const world = new World(1);
    const both = up(world, options);
    assertV1Agreed(both, ['net']);
    for (const gateway of [both.a, both.b]) {
      const [ike] = v1Sas(gateway);
      assert.equal(ike.info().version, 1);
      assert.equal(ike.info().proposal, 'aes128-sha256-ecp256');
      assert.equal(ike.remoteId?.text, gateway === both.a ? 'b.example' : 'a.example');
      assert.deepEqual(gateway.failures, []);
    }
    assert.deepEqual(
      both.a
        .eventsOf('message')
        .filter(({ message }) => message.direction === 'sent')
        .map(({ message }) => message.exchange),
      title.includes('Main')
        ? ['MAIN_MODE', 'MAIN_MODE', 'MAIN_MODE', 'QUICK_MODE', 'QUICK_MODE']
        : ['AGGRESSIVE', 'AGGRESSIVE', 'INFORMATIONAL', 'QUICK_MODE', 'QUICK_MODE'],
    );
    world.assertOrdersTold();
  });

for (const esp of ['aes128-sha256-ecp256', 'aes256gcm16', '3des-sha1', 'aes256-sha512-esn'])
  test(`RFC 2409 §5.5: Quick Mode with ${esp}`, () => {
    const world = new World(2);
    const both = up(world, { child: { espProposals: [esp] } });
    assertV1Agreed(both, ['net']);
    assert.equal(v1Children(both.a)[0].info().proposal, esp);
  });
