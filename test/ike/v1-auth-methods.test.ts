// Which authentication method of IKEv1 a configuration leads to, in each role, and what none stands for.

import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { type ConfigInput, parseConfig } from '../../lib/config/parse.ts';
import type { Connection } from '../../lib/config/types.ts';
import { ConfigError } from '../../lib/errors.ts';
import type { Runtime } from '../../lib/ike/runtime.ts';
import { AUTH_METHODS, authMethodOf, xauthRole } from '../../lib/ike/v1/auth-methods.ts';
import { warnOfIkev1 } from '../../lib/ike/v1/warnings.ts';
import { endEntity, type Issued, makePki, type TestKey } from '../lib/pki.ts';

type ConnectionInput = NonNullable<ConfigInput['connections']>[string];
type LocalAuth = NonNullable<NonNullable<ConnectionInput['local']>['auth']>;
type RemoteAuth = NonNullable<NonNullable<ConnectionInput['remote']>['auth']>;

const pki = makePki();
const root = pki.ca('/CN=Root');
const certificates = new Map<TestKey, Issued>();

function issue(key: TestKey): Issued {
  const extensions = endEntity('DNS:a.example');
  const issued = certificates.get(key) ?? pki.issue({ subject: '/CN=a', issuer: root, key, extensions });
  certificates.set(key, issued);
  return issued;
}

function read(
  local: LocalAuth,
  remote: RemoteAuth,
  more: ConnectionInput = {},
  id = 'a.example',
): Connection {
  const connection: ConnectionInput = {
    version: 1,
    proposals: ['aes128-sha256-modp2048'],
    ...more,
    local: { id, auth: local },
    remote: { address: '192.0.2.1', id: 'b.example', auth: remote },
  };
  return parseConfig({ connections: { old: connection } }).connections['old'];
}

/** What the configuration is refused with. */
function mistake(...written: Parameters<typeof read>): string {
  try {
    read(...written);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(!error.message.includes('wonderland'), error.message);
    return error.message;
  }
  assert.fail('the configuration was accepted');
}

function publicPem(key: TestKey): string {
  return createPublicKey(issue(key).key).export({ type: 'spki', format: 'pem' }).toString();
}

function signs(key: TestKey): LocalAuth {
  const { certificate, key: privateKey } = issue(key);
  return { certificate, privateKey };
}

const user = { xauth: { username: 'alice', password: 'in wonderland' } };
const users = { xauth: { users: { alice: 'in wonderland' } } };
const psk = { psk: 'an old key' };
const trusts = { ca: root.certificate };

test('RFC 2409 Appendix A: both ends of a connection come to one method, whoever begins', () => {
  const cases: readonly [number, number, LocalAuth, RemoteAuth, (LocalAuth & RemoteAuth)?][] = [
    [1, 1, psk, psk],
    [3, 3, signs('rsa2048'), trusts],
    [9, 9, signs('p256'), trusts],
    [10, 10, signs('p384'), trusts],
    [11, 11, signs('p521'), trusts],
    [64221, 64222, user, trusts],
    [64222, 64221, signs('rsa2048'), users],
    [65001, 65002, { ...psk, ...user }, psk],
    [65001, 65002, user, psk],
    [65002, 65001, psk, { ...psk, ...users }],
    [65005, 65006, { ...signs('rsa2048'), ...user }, trusts],
    [65006, 65005, signs('rsa2048'), { ...trusts, ...users }],
  ];
  for (const [initiator, responder, local, remote] of cases) {
    const connection = read(local, remote);
    assert.equal(authMethodOf(connection, 'initiator')?.number, initiator);
    assert.equal(authMethodOf(connection, 'responder')?.number, responder);
    for (const role of ['initiator', 'responder'] as const) {
      const method = authMethodOf(connection, role);
      const expected = local === psk || 'privateKey' in local ? 'server' : 'client';
      if (method?.xauth !== undefined)
        assert.equal(xauthRole(method, role), 'xauth' in local ? 'client' : expected);
    }
  }
});

test('RFC 2409 §5.2, RFC 2409 §5.3: public-key encryption is chosen by name, with a key of either side', () => {
  const own = signs('rsa2048');
  for (const [publicKeyEncryption, number] of [
    ['original', 4],
    ['revised', 5],
  ] as const)
    for (const remote of [{ certificate: issue('rsa2048').certificate }, { publicKey: publicPem('rsa2048') }])
      for (const aggressive of [false, true])
        for (const role of ['initiator', 'responder'] as const) {
          const connection = read(own, remote, { publicKeyEncryption, aggressive });
          assert.equal(authMethodOf(connection, role)?.number, number);
        }
});

test('what public-key encryption cannot do is refused by name', () => {
  const own = signs('rsa2048');
  const theirs = { publicKey: publicPem('rsa2048') };
  const how = { publicKeyEncryption: 'original' } as const;
  assert.match(mistake(own, trusts, how), /remote\.auth\.ca: is not accepted with publicKeyEncryption/);
  assert.match(
    mistake(signs('p256'), theirs, how),
    /local\.auth\.privateKey: .* prime256v1; expected an RSA key/,
  );
  assert.match(
    mistake(own, { publicKey: publicPem('p256') }, how),
    /remote\.auth\.publicKey: .* expected RSA/,
  );
  const { certificate } = issue('rsa2048');
  const kms = { certificate, privateKey: async () => new Uint8Array(0) };
  assert.match(mistake(kms, theirs, how), /RSA 2048 that only signs/);
  const two = { certificate: [certificate, issue('rsa3072').certificate] };
  assert.match(mistake(own, two, how), /2 keys of the peer/);
  assert.match(mistake(psk, psk, how), /without an RSA key on both sides/);
  assert.match(
    mistake({ ...own, ...user }, theirs, how),
    /publicKeyEncryption: "original" is not accepted with XAuth/,
  );
  for (const version of [2, 'any'] as const)
    assert.match(
      mistake(own, theirs, { ...how, version }),
      /publicKeyEncryption: "original" is not accepted/,
    );
  const id = `${'long.'.repeat(49)}example`;
  assert.match(mistake({ privateKey: issue('rsa2048').key }, theirs, how, id), /local\.id: has 252 bytes/);
  assert.equal(
    authMethodOf(
      read({ privateKey: issue('rsa2048').key }, theirs, { publicKeyEncryption: 'revised' }, id),
      'initiator',
    )?.number,
    5,
  );
});

test('Aggressive Mode is warned of by what it shows', () => {
  const warned = (connection: Connection): string[] => {
    const messages: string[] = [];
    const emit: Runtime['emit'] = (event) => {
      if (event.type === 'warning') messages.push(event.warning.message);
    };
    warnOfIkev1({ emit } as Runtime, connection);
    return messages;
  };
  const more = { aggressive: true } as const;
  assert.match(warned(read(psk, psk, more)).join(), /guess at its pre-shared key/);
  assert.match(warned(read(signs('p256'), trusts, more)).join(), /learns who its sides are/);
  const theirs = { publicKey: publicPem('rsa2048') };
  assert.deepEqual(warned(read(signs('rsa2048'), theirs, { ...more, publicKeyEncryption: 'revised' })), []);
});

test('the numbers of methods are each there once', () => {
  const numbers = AUTH_METHODS.map(({ number }) => number);
  assert.equal(new Set(numbers).size, numbers.length);
});

test('what no method stands for is refused by name', () => {
  assert.match(mistake(signs('ed25519'), trusts), /local\.auth\.privateKey: ed25519 is not accepted/);
  assert.match(mistake({ ...signs('p256'), ...user }, trusts), /with XAuth; expected an RSA key/);
  assert.match(mistake(signs('p256'), users), /with XAuth; expected an RSA key/);
  assert.match(mistake(signs('rsa2048'), psk), /both sides have a pre-shared key, or both sign/);
  assert.match(mistake(user, users), /only one side has a user|is missing/);
  assert.match(mistake({ ...psk, ...user }, { ...psk, ...users }), /only one side has a user/);
  assert.match(mistake(signs('rsa2048'), { xauth: {} }), /xauth\.users: is missing/);
  for (const version of [2, 'any'] as const) {
    assert.match(mistake({ ...psk, ...user }, psk, { version }), /local\.auth\.xauth: is not accepted/);
    assert.match(mistake(signs('rsa2048'), users, { version }), /remote\.auth\.xauth: is not accepted/);
  }
});
