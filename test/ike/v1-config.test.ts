// IKEv1 in the configuration: what it makes of proposals, what it refuses and why, and what it warns of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { phase1Combinations, phase2Combinations, weakAlgorithms } from '../../lib/config/ikev1.ts';
import { type ConfigInput, parseConfig } from '../../lib/config/parse.ts';
import { parseProposal } from '../../lib/config/proposal.ts';
import type { Connection, ProposalConfig } from '../../lib/config/types.ts';
import { ConfigError } from '../../lib/errors.ts';
import type { Runtime } from '../../lib/ike/runtime.ts';
import { warnOfIkev1 } from '../../lib/ike/v1/warnings.ts';

type ConnectionInput = NonNullable<ConfigInput['connections']>[string];
type ChildInput = NonNullable<ConnectionInput['children']>[string];

function read(connection: ConnectionInput = {}, child: ChildInput = {}): Connection {
  const net = {
    localTs: ['10.1.0.0/16'],
    remoteTs: ['10.2.0.0/16'],
    espProposals: ['aes128-sha256'],
    ...child,
  };
  const config = parseConfig({
    connections: {
      old: {
        version: 1,
        proposals: ['aes128-sha256-modp2048'],
        remote: { address: '192.0.2.1', auth: { psk: 'an old key' } },
        children: { net },
        ...connection,
      },
    },
  });
  return config.connections['old'];
}

function mistake(connection: ConnectionInput = {}, child: ChildInput = {}): string {
  try {
    read(connection, child);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

function proposal(text: string, use: 'ike' | 'esp' | 'ah'): ProposalConfig {
  const parsed = parseProposal(text, use);
  assert.ok(parsed.ok);
  return parsed.value;
}

test('IKEv1 is off unless a connection asks for it', () => {
  const config = parseConfig({
    connections: { new: { remote: { address: '192.0.2.1', auth: { psk: 'a key of today' } } } },
  });
  assert.equal(config.connections['new'].version, 2);
  assert.equal(config.connections['new'].aggressive, false);
  assert.equal(read().version, 1);
  assert.equal(read({ version: 'any' }).version, 'any');
});

test('RFC 2409 §4: a proposal is every combination of cipher, hash and group that IKEv1 has a number for', () => {
  const names = (text: string): string[] =>
    phase1Combinations(proposal(text, 'ike')).map(({ encr, integ, ke }) =>
      [encr.name, integ.name, ke.name].join('-'),
    );
  assert.deepEqual(names('aes128-sha256-modp2048'), ['aes128-sha256-modp2048']);
  assert.deepEqual(names('aes256-aes128-sha1-curve25519-ecp256'), [
    'aes256-sha1-ecp256',
    'aes128-sha1-ecp256',
  ]);
  assert.deepEqual(names('aes128gcm16-prfsha256-modp2048'), []);
  // The hash is also the PRF: another one has no place.
  assert.deepEqual(names('aes128-sha256-prfsha512-modp2048'), []);
});

test('RFC 2407 §4.4: a child’s proposal is every combination that ESP or AH of IKEv1 has a number for', () => {
  assert.equal(phase2Combinations(proposal('aes256-aes128-sha256-sha1', 'esp')).length, 4);
  assert.equal(phase2Combinations(proposal('aes256gcm16', 'esp')).length, 1);
  assert.equal(phase2Combinations(proposal('chacha20poly1305', 'esp')).length, 0);
  assert.equal(phase2Combinations(proposal('sha256-sha384', 'ah')).length, 2);
});

test('what IKEv1 cannot say is refused with the reason', () => {
  assert.match(
    mistake({ version: 2, aggressive: true }),
    /connections\.old\.aggressive: true is not accepted/,
  );
  assert.match(mistake({ proposals: ['aes128gcm16-prfsha256-modp2048'] }), /cannot be said in IKEv1/);
  assert.match(mistake({ version: 'any', proposals: ['aes128gcm16-prfsha256-modp2048'] }), /none of them/);
  assert.match(mistake({}, { localTs: ['10.1.0.0/24', '10.1.1.0/24'] }), /make a child of each/);
  assert.match(mistake({}, { localTs: ['10.1.0.0/24[tcp/80-90]'] }), /a range of ports/);
  assert.match(mistake({}, { espProposals: ['chacha20poly1305'] }), /none of them can be said in IKEv1/);
  assert.match(mistake({}, { tfcPadding: 1400 }), /tfcPadding/);
  assert.match(
    mistake({
      local: { auth: { psk: 'one key' } },
      remote: { address: '192.0.2.1', auth: { psk: 'another key' } },
    }),
    /one key for both sides/,
  );
});

test('the defaults of both versions are good for IKEv1', () => {
  const connection = parseConfig({
    connections: {
      old: {
        version: 1,
        remote: { address: '192.0.2.1', auth: { psk: 'an old key' } },
        children: { net: {} },
      },
    },
  }).connections['old'];
  assert.ok(connection.proposals.flatMap(phase1Combinations).length > 0);
  assert.deepEqual(weakAlgorithms(connection), []);
});

test('weak algorithms and Aggressive Mode are there for who names them, and warned of', () => {
  const weak = read(
    { proposals: ['3des-md5-modp1024', 'aes128-sha256-modp2048'], aggressive: true },
    { espProposals: ['des-md5'] },
  );
  assert.deepEqual([...weakAlgorithms(weak)].sort(), ['3des', 'des', 'md5', 'modp1024']);
  const warnings: string[] = [];
  const emit: Runtime['emit'] = (event) => {
    if (event.type === 'warning') warnings.push(event.warning.code);
  };
  warnOfIkev1({ emit } as Runtime, weak);
  assert.deepEqual(warnings, ['weak-algorithm', 'aggressive-mode']);
  warnOfIkev1({ emit } as Runtime, read());
  assert.equal(warnings.length, 2);
});
