// Cookies: bound to what they were made for, good for a while, forgotten by all but their maker.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CookieJar } from '../../lib/ike/cookie.ts';
import { testRuntime } from './runtime.ts';

const SUBJECT = { nonce: new Uint8Array(32).fill(1), address: '192.0.2.7', spiI: 77n };

test('RFC 7296 §2.6: a cookie holds for its own nonce, address and SPI and for nothing else', () => {
  const jar = new CookieJar(testRuntime());
  const cookie = jar.bake(SUBJECT);
  assert.ok(cookie.length >= 1 && cookie.length <= 64, 'RFC 7296 §3.10.1 allows 1 to 64 bytes');
  assert.ok(jar.check(cookie, SUBJECT));
  assert.ok(!jar.check(cookie, { ...SUBJECT, nonce: new Uint8Array(32).fill(2) }));
  assert.ok(!jar.check(cookie, { ...SUBJECT, address: '192.0.2.8' }));
  assert.ok(!jar.check(cookie, { ...SUBJECT, address: '2001:db8::7' }));
  assert.ok(!jar.check(cookie, { ...SUBJECT, spiI: 78n }));
});

test('RFC 7296 §2.6: any bit that is changed, cut or added makes a cookie worthless', () => {
  const jar = new CookieJar(testRuntime());
  const cookie = jar.bake(SUBJECT);
  for (let bit = 0; bit < cookie.length * 8; bit++) {
    const changed = cookie.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assert.ok(!jar.check(changed, SUBJECT), `bit ${bit}`);
  }
  assert.ok(!jar.check(cookie.subarray(1), SUBJECT));
  assert.ok(!jar.check(Uint8Array.of(...cookie, 0), SUBJECT));
  assert.ok(!jar.check(new Uint8Array(0), SUBJECT));
});

test('RFC 7296 §2.6: the secret changes, and the cookies of the one before it hold a while longer', () => {
  const runtime = testRuntime();
  const jar = new CookieJar(runtime);
  const first = jar.bake(SUBJECT);
  runtime.pass(61_000);
  const second = jar.bake(SUBJECT);
  assert.notDeepEqual(first, second);
  assert.ok(jar.check(first, SUBJECT) && jar.check(second, SUBJECT));
  runtime.pass(61_000);
  assert.ok(!jar.check(first, SUBJECT));
  assert.ok(jar.check(second, SUBJECT));
  runtime.pass(10_000_000);
  assert.ok(!jar.check(second, SUBJECT));
});

test('RFC 7296 §2.6: two gateways do not make the same cookies', () => {
  const [one, two] = [new CookieJar(testRuntime(1)), new CookieJar(testRuntime(2))];
  assert.notDeepEqual(one.bake(SUBJECT), two.bake(SUBJECT));
  assert.ok(!two.check(one.bake(SUBJECT), SUBJECT));
});
