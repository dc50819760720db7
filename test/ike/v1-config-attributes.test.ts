// What Mode-Config asks and tells: attributes as bytes and as settings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { parseConfig } from '../../lib/config/parse.ts';
import {
  ConfigAttribute as A,
  answerTo,
  readSettings,
  requestAttributes,
  settingsAttributes,
} from '../../lib/ike/v1/config-attributes.ts';
import { decodeAttributes, encodeAttributes } from '../../lib/ike/wire/v1/attributes.ts';
import { Random } from '../fuzz/mutate.ts';

const { pools } = parseConfig({
  pools: {
    road: {
      addresses: ['10.3.0.0/24'],
      dns: ['10.2.0.53', 'fd00::53'],
      nbns: ['10.2.0.54'],
      splitInclude: ['10.2.0.0/16', '192.0.2.128/25'],
      splitExclude: ['10.2.9.0/24'],
      banner: 'Grüezi',
      defaultDomain: 'example.com',
    },
  },
});
const told = settingsAttributes(['10.3.0.1'], Object.values(pools));

test('draft-dukes-ike-mode-cfg §3.3: what is told is read as it was configured', () => {
  assert.deepEqual(readSettings(told), {
    addresses: ['10.3.0.1'],
    dns: ['10.2.0.53', 'fd00::53'],
    nbns: ['10.2.0.54'],
    splitInclude: ['10.2.0.0/16', '192.0.2.128/25'],
    splitExclude: ['10.2.9.0/24'],
    banner: 'Grüezi',
    defaultDomain: 'example.com',
  });
});

test('Unity: a split network has address, mask and six bytes that are empty', () => {
  const value = told.find(({ type }) => type === A.UNITY_SPLIT_INCLUDE)?.value;
  assert.ok(value instanceof Uint8Array);
  assert.equal(toHex(value), '0a020000ffff0000000000000000c0000280ffffff80000000000000');
});

test('draft-dukes-ike-mode-cfg §3.4: the answer has what was asked for, empty where there is nothing, and nothing else', () => {
  const request = [A.IP4_ADDRESS, A.IP4_DNS, 13, A.UNITY_BANNER].map((type) => ({
    type,
    value: new Uint8Array(0),
  }));
  const answer = answerTo(request, told);
  assert.deepEqual(
    answer.map(({ type }) => type),
    [A.IP4_ADDRESS, A.IP4_DNS, 13, A.UNITY_BANNER],
  );
  assert.deepEqual(answer[2], { type: 13, value: new Uint8Array(0) });
  assert.deepEqual(readSettings(answer).splitInclude, []);
});

test('draft-dukes-ike-mode-cfg §3.3: any address is asked for without a value, one of before with it', () => {
  const [any] = requestAttributes(['0.0.0.0']);
  assert.deepEqual(any, { type: A.IP4_ADDRESS, value: new Uint8Array(0) });
  const [before] = requestAttributes(['10.3.0.7']);
  assert.deepEqual(before, { type: A.IP4_ADDRESS, value: fromHex('0a030007') });
  assert.equal(requestAttributes(['::'])[0]?.type, A.IP6_ADDRESS);
});

test('attributes of a stranger: masks with holes, short values and nonsense are left out, and nothing throws', () => {
  const random = new Random(5);
  const bytes = encodeAttributes(told);
  for (let i = 0; i < 3000; i++) {
    const changed = bytes.slice();
    for (let n = 0; n < 3; n++) changed[random.below(changed.length)] = random.below(256);
    const decoded = decodeAttributes(changed, 'a test');
    if (!decoded.ok) continue;
    const { splitInclude, addresses } = readSettings(decoded.value);
    for (const network of splitInclude) assert.match(network, /^\d+\.\d+\.\d+\.\d+\/\d+$/);
    for (const address of addresses) assert.match(address, /[.:]/);
  }
  const holes = { type: A.UNITY_SPLIT_INCLUDE, value: fromHex('0a020000ff00ff00000000000000') };
  assert.deepEqual(readSettings([holes]).splitInclude, []);
});
