// The Runtime of a real gateway: long timers, random bytes, and handlers that fail.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import type { LogFields } from '../../lib/ike/runtime.ts';
import { silentLog } from '../../lib/ike/runtime.ts';
import { MemoryDataPlane } from '../../lib/ipsec/memory.ts';
import { NodeRuntime, random } from '../../lib/node-runtime.ts';

function runtime(error: (event: string, fields?: LogFields) => void = () => {}): NodeRuntime {
  return new NodeRuntime({
    crypto: createCrypto(),
    keyExchange: () => {},
    dataPlane: new MemoryDataPlane(random),
    transport: {
      onDatagram: () => {},
      send: () => {},
      ports: { ike: 500, natt: 4500 },
      localAddressFor: () => Promise.reject(new Error('no route')),
      close: async () => {},
    },
    log: { ...silentLog, error },
    keyLog: false,
    emit: () => {},
  });
}

test('random: no two calls give the same bytes, whatever their length, and no byte comes twice from the pool', () => {
  const seen = new Set<string>();
  for (let n = 0; n < 5000; n++) {
    const bytes = random([8, 16, 20, 32, 600][n % 5]);
    assert.equal(bytes.byteLength, bytes.buffer.byteLength);
    seen.add(Buffer.from(bytes).toString('hex'));
  }
  assert.equal(seen.size, 5000);
  assert.equal(random(0).length, 0);
  const counts = new Array<number>(256).fill(0);
  for (const octet of random(512)) counts[octet]++;
  for (let n = 0; n < 1000; n++) for (const octet of random(100)) counts[octet]++;
  // 100,512 bytes: a value's count is 393 on average, its deviation about 20; ten of those are never seen.
  for (const count of counts) assert.ok(count > 190 && count < 600, `${count}`);
});

test('setTimer: a timer beyond 2^31 ms does not fire at once, as Node lets it', async () => {
  const own = runtime();
  let fired = false;
  own.setTimer(30 * 86_400_000, () => {
    fired = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(fired, false);
  own.end();
});

test('setTimer: a cancelled timer does not fire, nor does any after the end', async () => {
  const own = runtime();
  const fired: string[] = [];
  own.setTimer(1, () => fired.push('cancelled')).cancel();
  own.setTimer(1, () => fired.push('kept'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  own.setTimer(1, () => fired.push('after the end'));
  own.end();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(fired, ['kept']);
});

test('guard: a handler that throws is logged with its stack and stops nothing else', () => {
  const logged: [string, LogFields | undefined][] = [];
  const own = runtime((event, fields) => logged.push([event, fields]));
  own.guard('datagram', () => {
    throw new Error('a bug');
  });
  assert.equal(logged.length, 1);
  assert.equal(logged[0][0], 'internal-error');
  assert.equal(logged[0][1]?.['what'], 'datagram');
  let ran = false;
  own.guard('datagram', () => {
    ran = true;
  });
  assert.ok(ran);
  own.end();
});

test('localAddressFor: a rejection is a failed result, later', async () => {
  const own = runtime();
  let told: unknown;
  own.localAddressFor({ address: '192.0.2.1', port: 500 }, (result) => {
    told = result;
  });
  assert.equal(told, undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, { ok: false, error: { code: 'no-route', message: 'no route' } });
  own.end();
});
