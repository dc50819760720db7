// The configuration: what is filled in, and that every mistake is one error naming path, value and what was expected.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigInput, parseConfig } from '../../lib/config/parse.ts';
import { formatProposal, parseProposal } from '../../lib/config/proposal.ts';
import type { LocalAuth, RemoteAuth } from '../../lib/config/types.ts';
import { ConfigError } from '../../lib/errors.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';

const SECRET = 'correct horse battery staple';

/** The design's example, with changes to the connection and its child. */
function written(connection: object = {}, child: object = {}): unknown {
  return {
    connections: {
      branch: {
        remote: { address: '203.0.113.9', id: 'branch.example.com', auth: { psk: SECRET } },
        local: { id: 'hq.example.com' },
        children: { lan: { localTs: ['10.1.0.0/16'], remoteTs: ['10.2.0.0/16'], start: 'trap', ...child } },
        ...connection,
      },
    },
  };
}

function pskOf(auth: LocalAuth | RemoteAuth): Uint8Array {
  assert.ok(auth.kind === 'psk');
  return auth.psk;
}

function mistake(input: unknown): ConfigError {
  try {
    parseConfig(input);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  assert.fail('the configuration was accepted');
}

test("the design's example is complete after validation", () => {
  const input: ConfigInput = written() as ConfigInput;
  const config = parseConfig(input);
  const branch = config.connections['branch'];
  assert.equal(branch.name, 'branch');
  assert.equal(branch.localAddress, undefined);
  assert.equal(branch.remoteAddress, '203.0.113.9');
  assert.equal(branch.remote.id?.text, 'branch.example.com');
  assert.deepEqual(Buffer.from(pskOf(branch.local.auth)).toString(), SECRET);
  assert.equal(branch.rekeyTimeMs, 14_400_000);
  assert.equal(branch.overTimeMs, 1_440_000);
  const lan = branch.children['lan'];
  assert.deepEqual(lan.localTs.map(formatSelector), ['10.1.0.0/16']);
  assert.deepEqual([lan.start, lan.dpdAction, lan.closeAction], ['trap', 'trap', 'trap']);
  assert.deepEqual([lan.rekeyTimeMs, lan.rekeyJitterMs, lan.lifeTimeMs], [3_600_000, 360_000, 3_960_000]);
  assert.deepEqual(config.listen, { addresses: ['0.0.0.0', '::'], port: 500, nattPort: 4500 });
});

test('the result is frozen all the way down, and its keys are copies', () => {
  const key = Uint8Array.of(1, 2, 3);
  const config = parseConfig(written({ remote: { address: '192.0.2.1', auth: { psk: key } } }));
  key.fill(0);
  assert.deepEqual(pskOf(config.connections['branch'].remote.auth), Uint8Array.of(1, 2, 3));
  assert.ok(Object.isFrozen(config.connections['branch'].children['lan'].proposals[0].encr));
  assert.ok(Object.isFrozen(config.limits));
});

test('the smallest configuration is an empty object', () => {
  assert.deepEqual(parseConfig({}).connections, {});
});

const KEYS: [string, string][] = [
  ['0x00ff10', '00ff10'],
  ['0sAP8Q', '00ff10'],
  ['0sAP8QIA==', '00ff1020'],
  ['héllo', '68c3a96c6c6f'],
];
for (const [text, hex] of KEYS)
  test(`the key ${text} is the bytes ${hex}`, () => {
    const config = parseConfig(written({ remote: { address: '192.0.2.1', auth: { psk: text } } }));
    assert.equal(Buffer.from(pskOf(config.connections['branch'].local.auth)).toString('hex'), hex);
  });

const TIMES: [string | number, number][] = [
  [90, 90_000],
  ['90', 90_000],
  ['1.5h', 5_400_000],
  ['2m', 120_000],
  ['1d', 86_400_000],
  [0, 0],
];
for (const [text, ms] of TIMES)
  test(`the time ${JSON.stringify(text)} is ${ms} ms`, () => {
    assert.equal(parseConfig(written({ rekeyTime: text })).connections['branch'].rekeyTimeMs, ms);
  });

const B = 'connections.branch';
const MISTAKES: [string, unknown, string, RegExp][] = [
  ['no object', 5, '', /a number is not accepted; expected an object/],
  ['a misspelt section', { conections: {} }, 'conections', /did you mean "connections"\?/],
  [
    'a misspelt option',
    written({ remote: { adress: '192.0.2.1' } }),
    `${B}.remote.adress`,
    /did you mean "address"/,
  ],
  [
    "swanctl's spelling",
    written({}, { remote_ts: [] }),
    `${B}.children.lan.remote_ts`,
    /did you mean "remoteTs"/,
  ],
  ['an option in the wrong place', written({ psk: SECRET }), `${B}.psk`, /did you mean "remote.auth.psk"/],
  [
    'an address with an octet too large',
    written({ remote: { address: '192.0.2.300' } }),
    `${B}.remote.address`,
    /"192\.0\.2\.300".*expected an IPv4 or IPv6 address/,
  ],
  [
    'a host name as address',
    written({ remote: { address: 'gw.example.com' } }),
    `${B}.remote.address`,
    /"gw\.example\.com" is a host name/,
  ],
  [
    'no key',
    written({ remote: { address: '192.0.2.1' } }),
    `${B}.remote.auth.psk`,
    /is missing; expected a pre-shared key/,
  ],
  [
    'an unknown cipher',
    written({ proposals: ['aes257-sha256-x25519'] }),
    `${B}.proposals`,
    /unknown algorithm "aes257": did you mean aes256/,
  ],
  [
    'a network with a prefix too long',
    written({}, { localTs: ['10.0.0.0/33'] }),
    `${B}.children.lan.localTs`,
    /"10\.0\.0\.0\/33" has a prefix length/,
  ],
  [
    'a unit that does not exist',
    written({ dpdDelay: '5w' }),
    `${B}.dpdDelay`,
    /"5w" is not accepted; expected a time/,
  ],
  ['an infinite time', written({ dpdDelay: Number.POSITIVE_INFINITY }), `${B}.dpdDelay`, /expected a time/],
  [
    'a word that is no choice',
    written({}, { start: 'trapp' }),
    `${B}.children.lan.start`,
    /"trapp".*"none" or "start" or "trap"/,
  ],
  [
    'a fraction of a packet',
    written({}, { replayWindow: 1.5 }),
    `${B}.children.lan.replayWindow`,
    /1\.5.*whole number from 0 to/,
  ],
  [
    'nobody to call',
    written({ remote: { auth: { psk: 'k' } } }),
    `${B}.children.lan.start`,
    /needs an address in remote\.address/,
  ],
  [
    'a life shorter than the rekey time',
    written({}, { lifeTime: '30m' }),
    `${B}.children.lan.lifeTime`,
    /expected more than rekeyTime/,
  ],
  [
    'jitter longer than the rekey time',
    written({ rekeyTime: 60, rekeyJitter: 61 }),
    `${B}.rekeyJitter`,
    /at most rekeyTime/,
  ],
  ['both ports the same', { listen: { port: 4500 } }, 'listen.nattPort', /4500 is the same as listen\.port/],
  [
    'two address families',
    written({ local: { address: '2001:db8::1' } }),
    `${B}.local.address`,
    /not of one address family/,
  ],
  ['a name with a slash', { connections: { 'a/b': {} } }, 'connections', /"a\/b" is not a name/],
  [
    'the name __proto__',
    { connections: JSON.parse('{"__proto__":{"bad":1}}') },
    'connections',
    /"__proto__" is not a name/,
  ],
];
for (const [what, input, path, message] of MISTAKES)
  test(`${what} is refused by its path`, () => {
    const error = mistake(input);
    assert.equal(error.path, path);
    assert.ok(error.message.startsWith(path === '' ? 'the configuration' : `${path}: `), error.message);
    assert.match(error.message, message);
    assert.equal(error.code, 'ERR_IKE_CONFIG');
  });

const LEAKS: [string, unknown][] = [
  ['in place of the auth object', written({ remote: { address: '192.0.2.1', auth: SECRET } })],
  ['under an unknown option', written({ remote: { address: '192.0.2.1', auth: { pskk: SECRET } } })],
  ['in bad hexadecimal', written({ remote: { address: '192.0.2.1', auth: { psk: `0x${SECRET}` } } })],
  ['in bad base64', written({ remote: { address: '192.0.2.1', auth: { psk: `0s${SECRET}` } } })],
  ['in a list', written({ remote: { address: '192.0.2.1', auth: { psk: [SECRET] } } })],
];
for (const [where, input] of LEAKS)
  test(`a key ${where} does not appear in the message`, () => {
    assert.doesNotMatch(mistake(input).message, /horse/);
  });

const PROPOSALS: ['ike' | 'esp', string, string][] = [
  ['ike', 'aes256gcm16-prfsha256-x25519', 'aes256gcm16-prfsha256-curve25519'],
  ['ike', 'aes256-sha256-modp2048', 'aes256-sha256-prfsha256-modp2048'],
  ['ike', 'aes128gcm16-sha384-ecp256', 'aes128gcm16-prfsha384-ecp256'],
  ['esp', 'aes128-sha2_256', 'aes128-sha256'],
  ['esp', 'AES256GCM-x25519-esn-noesn', 'aes256gcm16-curve25519-esn-noesn'],
  ['esp', 'aes256gcm16-noesn', 'aes256gcm16'],
  ['esp', 'aes128ccm64-aes256gcm96-aes128gmac', 'aes128ccm8-aes256gcm12-aes128gmac'],
  ['esp', 'chacha20poly1305', 'chacha20poly1305'],
  ['esp', 'null-aes128ctr-sha2_256_96-aescmac', 'null-aes128ctr-sha256_96-aescmac'],
  ['ike', 'camellia-3des-aesxcbc-x25519', 'camellia128-3des-aesxcbc-prfaesxcbc-curve25519'],
  ['ike', 'aes256ccm-aescmac-x25519', 'aes256ccm16-prfaescmac-curve25519'],
  ['ike', 'des-md5-x25519', 'des-md5-prfmd5-curve25519'],
];
for (const [use, text, canonical] of PROPOSALS)
  test(`the ${use} proposal ${text} is ${canonical}, and reads back as itself`, () => {
    const parsed = parseProposal(text, use);
    assert.ok(parsed.ok);
    assert.equal(parsed.value.text, canonical);
    assert.equal(formatProposal(parsed.value), canonical);
    assert.deepEqual(parseProposal(canonical, use), parsed);
  });

const BAD_PROPOSALS: ['ike' | 'esp', string, RegExp][] = [
  ['ike', 'aes256gcm16-aes256-sha256-x25519', /mixes AEAD/],
  ['ike', 'aes256gcm16-x25519', /no PRF/],
  ['ike', 'aes256-sha256', /no key exchange/],
  ['ike', 'aes256gcm16-prfsha256-x25519-esn', /which is for ESP/],
  ['esp', 'aes256gcm16-sha256', /protects integrity itself/],
  ['esp', 'aes256', /no integrity/],
  ['esp', 'aes256gcm16-prfsha256', /which is for IKE/],
  ['esp', 'x25519', /no cipher/],
  ['esp', 'aes256gcm16-aes256gcm', /twice/],
  ['ike', 'null-sha256-x25519', /has null, which is for ESP/],
  ['ike', 'aes128gmac-prfsha256-x25519', /has aes128gmac, which is for ESP/],
  ['ike', 'aes128-sha256_96-prfsha256-x25519', /has sha256_96, which is for ESP/],
  ['esp', 'null', /no integrity/],
  ['esp', 'null-aes128gmac-sha256', /mixes AEAD/],
  ['esp', 'aes128-sha256-sha256_96', /cannot tell sha256 from sha256_96/],
  ['esp', '', /unknown algorithm ""/],
];
for (const [use, text, message] of BAD_PROPOSALS)
  test(`the ${use} proposal "${text}" is refused`, () => {
    const parsed = parseProposal(text, use);
    assert.ok(!parsed.ok);
    assert.match(parsed.error.message, message);
  });

test('whatever stands anywhere in a configuration, the answer is a Config or a ConfigError', () => {
  const junk = [
    null,
    0,
    -1,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    '',
    '0x',
    '%any',
    [],
    [[]],
    {},
    { psk: {} },
    true,
    Symbol('s'),
    10n,
    () => 1,
    new Date(0),
  ];
  let refusals = 0;
  const replace = (value: unknown, put: (input: unknown) => unknown): void => {
    for (const bad of junk) {
      try {
        parseConfig(put(bad));
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.doesNotMatch(error.message, /horse/);
        refusals++;
      }
    }
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value))
      replace(inner, (bad) =>
        put(Array.isArray(value) ? value.with(Number(key), bad) : { ...value, [key]: bad }),
      );
  };
  const whole = {
    ...(written() as object),
    listen: { port: 500 },
    limits: { ikeSas: 5 },
    retransmit: { base: 2 },
  };
  replace(whole, (bad) => bad);
  assert.ok(refusals > 200, `${refusals} refusals`);
});
