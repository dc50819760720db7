// The algorithm table: its numbers, what it says of each row, and what data planes say of the rows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigInput, parseConfig } from '../../lib/config/parse.ts';
import { DEFAULT_ESP_PROPOSALS, DEFAULT_IKE_PROPOSALS, parseProposal } from '../../lib/config/proposal.ts';
import { ALGORITHMS, findAlgorithm, findTransform, hasTransform } from '../../lib/crypto/algorithms.ts';
import { uncarriedProposal } from '../../lib/data-planes.ts';
import { engineCarries } from '../../lib/ipsec/engine/index.ts';
import { espCarries } from '../../lib/ipsec/esp.ts';

/** IANA's registry of IKEv2: transform ids by name, without the length of the key. */
const IDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  encr: {
    des: 2,
    '3des': 3,
    null: 11,
    aes: 12,
    aesctr: 13,
    aesccm8: 14,
    aesccm12: 15,
    aesccm16: 16,
    aesgcm8: 18,
    aesgcm12: 19,
    aesgcm16: 20,
    aesgmac: 21,
    camellia: 23,
    chacha20poly1305: 28,
  },
  prf: {
    prfmd5: 1,
    prfsha1: 2,
    prfaesxcbc: 4,
    prfsha256: 5,
    prfsha384: 6,
    prfsha512: 7,
    prfaescmac: 8,
  },
  integ: {
    md5: 1,
    sha1: 2,
    aesxcbc: 5,
    aescmac: 8,
    sha256: 12,
    sha256_96: 12,
    sha384: 13,
    sha512: 14,
  },
};

for (const [kind, ids] of Object.entries(IDS))
  test(`the transform ids of kind ${kind} are IANA's, for every row`, () => {
    const rows = ALGORITHMS.filter((row) => row.kind === kind);
    const name = (text: string) => text.replace(/(aes|camellia)(128|192|256)/, '$1');
    for (const row of rows) assert.equal(row.id, ids[name(row.name)], row.name);
    assert.deepEqual(new Set(rows.map((row) => name(row.name))), new Set(Object.keys(ids)));
  });

test('no name and no transform stands for two rows, but for sha256_96, which has to be named', () => {
  assert.equal(new Set(ALGORITHMS.map(({ name }) => name)).size, ALGORITHMS.length);
  for (const row of ALGORITHMS) {
    const bits = row.kind === 'encr' && row.keyLengthAttribute ? row.keyBits : undefined;
    assert.ok(hasTransform(row, row.id, bits));
    const found = findTransform(row.kind, row.id, bits);
    assert.equal(found?.name, row.name === 'sha256_96' ? 'sha256' : row.name);
  }
});

test('RFC 7296 §3.3.5: only ciphers of several key lengths carry one', () => {
  for (const row of ALGORITHMS)
    if (row.kind === 'encr') assert.equal(row.keyLengthAttribute, /^(aes|camellia)/.test(row.name), row.name);
});

test('RFC 8247 §2: what is old is never offered by default', () => {
  const old = ALGORITHMS.filter((row) => 'old' in row).map(({ name }) => name);
  for (const name of ['des', '3des', 'md5', 'prfmd5']) assert.ok(old.includes(name), name);
  const proposals = [
    ...DEFAULT_IKE_PROPOSALS.map((text) => parseProposal(text, 'ike')),
    ...DEFAULT_ESP_PROPOSALS.map((text) => parseProposal(text, 'esp')),
  ];
  for (const parsed of proposals) {
    assert.ok(parsed.ok);
    const { encr, prf, integ, ke } = parsed.value;
    for (const row of [...encr, ...prf, ...integ, ...ke]) assert.ok(!old.includes(row.name), row.name);
  }
});

test('check values are found under their length in bytes, in bits, or none for the longest', () => {
  for (const [text, name] of [
    ['aes128gcm64', 'aes128gcm8'],
    ['aes192ccm96', 'aes192ccm12'],
    ['aes256gcm128', 'aes256gcm16'],
    ['aes128gcm', 'aes128gcm16'],
    ['AES256CCM', 'aes256ccm16'],
    ['camellia', 'camellia128'],
  ])
    assert.equal(findAlgorithm(text)?.name, name);
});

const withProposal = (espProposals: readonly string[]) => {
  const input: ConfigInput = {
    connections: {
      site: {
        remote: { address: '192.0.2.1', auth: { psk: 'a key' } },
        children: { net: { remoteTs: ['10.0.0.0/8'], espProposals: [...espProposals] } },
      },
    },
  };
  return parseConfig(input);
};

test('a proposal that the data plane cannot carry is a ConfigError that names place, proposal, pair and remedy', () => {
  const engine = { name: 'engine', supports: engineCarries } as const;
  for (const [text, pair] of [
    ['aes128-sha256_96', 'aes128-sha256_96'],
    ['aes128-md5', 'aes128-md5'],
    ['camellia256-sha256', 'camellia256-sha256'],
    ['des-sha1', 'des-sha1'],
  ]) {
    const config = withProposal(['aes256gcm16', text]);
    const problem = uncarriedProposal(config, engine);
    assert.equal(problem?.code, 'ERR_IKE_CONFIG');
    assert.equal(problem.path, 'connections.site.children.net.espProposals');
    assert.equal(
      problem.message,
      `"${text}": the engine data plane has no ${pair}; dataPlane 'portable' has every algorithm`,
    );
    assert.equal(uncarriedProposal(config, { name: 'portable', supports: espCarries }), undefined);
  }
});

test('every data plane carries what is offered by default', () => {
  const config = parseConfig({
    connections: {
      site: {
        remote: { address: '192.0.2.1', auth: { psk: 'a key' } },
        children: { net: { remoteTs: ['10.0.0.0/8'] } },
      },
    },
  });
  assert.equal(uncarriedProposal(config, { name: 'engine', supports: engineCarries }), undefined);
  assert.equal(uncarriedProposal(config, { name: 'portable', supports: espCarries }), undefined);
});

test('RFC 8221 §4: no data plane carries encryption without integrity, or an AEAD with one of its own', () => {
  for (const encryption of ALGORITHMS.filter((row) => row.kind === 'encr'))
    for (const integrity of [undefined, ...ALGORITHMS.filter((row) => row.kind === 'integ')]) {
      const sound = encryption.icvBytes > 0 ? integrity === undefined : integrity !== undefined;
      const suite = { protocol: 'esp', mode: 'tunnel', encryption, integrity } as const;
      assert.equal(espCarries(suite), sound);
      if (!sound) assert.equal(engineCarries(suite), false);
    }
});
