// Identities of Quick Mode as traffic selectors: what is written reads back, and what is no range of addresses is no selector.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../../lib/bytes.ts';
import { readLifetime, sooner, writeLifetime } from '../../lib/ike/v1/lifetimes.ts';
import { idToSelector, selectorToId } from '../../lib/ike/v1/selectors.ts';
import { Phase2Attribute } from '../../lib/ike/wire/v1/numbers.ts';
import { formatSelector, parseSelector } from '../../lib/ipsec/selector.ts';

for (const [text, idType] of [
  ['192.0.2.7/32', 1],
  ['192.0.2.0/24', 4],
  ['0.0.0.0/0', 4],
  ['10.0.0.0/13', 4],
  ['192.0.2.7-192.0.2.9', 7],
  ['2001:db8::1/128', 5],
  ['2001:db8::/61', 6],
  ['2001:db8::1-2001:db8::5', 8],
  ['192.0.2.0/24[tcp/443]', 4],
  ['192.0.2.7/32[udp]', 1],
] as const)
  test(`RFC 2407 §4.6.2: ${text} is an identity of type ${idType}, and reads back the same`, () => {
    const selector = parseSelector(text);
    assert.ok(selector.ok);
    const id = selectorToId(selector.value);
    assert.equal(id.idType, idType);
    const back = idToSelector(id);
    assert.ok(back !== undefined);
    assert.equal(formatSelector(back), text);
  });

for (const [what, idType, hex] of [
  ['an address of five bytes', 1, 'c000020701'],
  ['a mask with holes', 4, 'c0000200ff00ff00'],
  ['a mask that begins with zeros', 4, 'c000020000ffffff'],
  ['a range that goes down', 7, 'c0000209c0000207'],
  ['a name', 2, '6578616d706c65'],
  ['nothing', 1, ''],
  ['an IPv6 subnet without a mask', 6, '20010db8000000000000000000000000'],
] as const)
  test(`RFC 2407 §4.6.2: ${what} is no selector`, () => {
    assert.equal(idToSelector({ type: 'ID', idType, protocol: 0, port: 0, data: fromHex(hex) }), undefined);
  });

test('RFC 2407 §4.5: lifetimes of both kinds read back, and the sooner end of each wins', () => {
  const life = { seconds: 86_400, kilobytes: 4_608_000 };
  assert.deepEqual(readLifetime(Phase2Attribute, writeLifetime(Phase2Attribute, life)), life);
  assert.deepEqual(readLifetime(Phase2Attribute, []), {});
  assert.deepEqual(sooner(life, { seconds: 3600 }), { seconds: 3600, kilobytes: 4_608_000 });
  assert.deepEqual(sooner({}, {}), {});
  // A duration without a type, and a type that is not known.
  assert.equal(readLifetime(Phase2Attribute, [{ type: Phase2Attribute.LIFE_DURATION, value: 9 }]), undefined);
  const unknown = [
    { type: Phase2Attribute.LIFE_TYPE, value: 3 },
    { type: Phase2Attribute.LIFE_DURATION, value: 9 },
  ];
  assert.equal(readLifetime(Phase2Attribute, unknown), undefined);
});
