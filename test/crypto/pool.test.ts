// The pool of key exchange workers: outcomes, order, bounds, dying workers, closing, and that it holds no process.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import { runKeyExchange } from '../../lib/crypto/key-exchange.ts';
import { createKeyExchangePool, type KeyExchangePool } from '../../lib/crypto/pool.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from '../../lib/crypto/provider.ts';
import { exactBytes } from './vectors.ts';

const CURVE25519 = algorithm('ke', 'curve25519');
const MODP2048 = algorithm('ke', 'modp2048');

const run = (pool: KeyExchangePool, job: KeyExchangeJob) =>
  new Promise<KeyExchangeOutcome>((resolve) => pool.run(job, resolve));

const initiate = (): KeyExchangeJob => ({ op: 'initiate', method: CURVE25519, seed: exactBytes(32) });

function code(outcome: KeyExchangeOutcome): string {
  return outcome.ok ? 'ok' : outcome.error.code;
}

/** The workers that are started while `action` runs. */
async function workersOf(action: () => Promise<void>): Promise<Worker[]> {
  const workers: Worker[] = [];
  const add = (worker: Worker) => workers.push(worker);
  process.on('worker', add);
  try {
    await action();
  } finally {
    process.off('worker', add);
  }
  return workers;
}

for (const name of ['curve25519', 'ecp256', 'modp2048'])
  test(`a worker makes of ${name} what the calling thread makes`, async () => {
    const method = algorithm('ke', name);
    const pool = createKeyExchangePool({ workers: 1 });
    const first: KeyExchangeJob = { op: 'initiate', method, seed: exactBytes(32) };
    const initiator = await run(pool, first);
    assert.ok(initiator.ok);
    assert.deepEqual(initiator, runKeyExchange(first));
    const second: KeyExchangeJob = {
      op: 'respond',
      method,
      seed: exactBytes(32),
      peerPublic: initiator.value.publicValue,
    };
    const responder = await run(pool, second);
    assert.ok(responder.ok);
    assert.deepEqual(responder, runKeyExchange(second));
    const { privateValue } = initiator.value;
    const end = await run(pool, {
      op: 'finish',
      method,
      privateValue,
      peerPublic: responder.value.publicValue,
    });
    assert.ok(end.ok);
    assert.equal(toHex(end.value.secret), toHex(responder.value.secret));
    await pool.close();
  });

test('one worker ends jobs in the order in which they came, and done is never called before run returned', async () => {
  const pool = createKeyExchangePool({ workers: 1 });
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    for (let n = 0; n < 50; n++) {
      let returned = false;
      pool.run(initiate(), (outcome) => {
        assert.ok(returned && outcome.ok);
        if (order.push(n) === 50) resolve();
      });
      returned = true;
    }
  });
  assert.deepEqual(
    order,
    Array.from({ length: 50 }, (_, n) => n),
  );
  await pool.close();
});

test('workers start when there is work, and never more than allowed', async () => {
  const workers = await workersOf(async () => {
    const pool = createKeyExchangePool({ workers: 2 });
    await Promise.all(Array.from({ length: 20 }, () => run(pool, initiate())));
    await pool.close();
  });
  assert.equal(workers.length, 2);
  const none = await workersOf(() => createKeyExchangePool({ workers: 2 }).close());
  assert.equal(none.length, 0);
});

test('the caller may wipe its arrays as soon as run returned; they are neither changed nor taken away', async () => {
  const pool = createKeyExchangePool({ workers: 1 });
  const seed = exactBytes(32);
  const kept = toHex(seed);
  const expected = runKeyExchange({ op: 'initiate', method: CURVE25519, seed });
  const outcome = run(pool, { op: 'initiate', method: CURVE25519, seed });
  assert.equal(toHex(seed), kept);
  seed.fill(0);
  assert.deepEqual(await outcome, expected);
  assert.equal(seed.length, 32);
  await pool.close();
});

test('an invalid public value is an outcome of a worker too, and the worker goes on', async () => {
  const workers = await workersOf(async () => {
    const pool = createKeyExchangePool({ workers: 1 });
    const outcome = await run(pool, {
      op: 'respond',
      method: MODP2048,
      seed: exactBytes(32),
      peerPublic: new Uint8Array(256),
    });
    assert.equal(code(outcome), 'invalid-public-value');
    assert.equal(code(await run(pool, initiate())), 'ok');
    await pool.close();
  });
  assert.equal(workers.length, 1);
});

test('a wrong seed is a RangeError of run, and done is not called', async () => {
  const pool = createKeyExchangePool({ workers: 1 });
  const job: KeyExchangeJob = { op: 'initiate', method: CURVE25519, seed: exactBytes(31) };
  assert.throws(() => pool.run(job, () => assert.fail('done was called')), RangeError);
  await pool.close();
  assert.throws(() => createKeyExchangePool({ workers: 0 }), RangeError);
});

test('a private value that is not in the group is an outcome, for only a worker sees it', async () => {
  const pool = createKeyExchangePool({ workers: 1 });
  const method = algorithm('ke', 'ecp256');
  const { publicValue: peerPublic } = unwrap(
    runKeyExchange({ op: 'initiate', method, seed: exactBytes(32) }),
  );
  const outcome = await run(pool, { op: 'finish', method, privateValue: new Uint8Array(32), peerPublic });
  assert.equal(code(outcome), 'unavailable');
  await pool.close();
});

test('a worker that dies fails its own job alone; another takes its place', async () => {
  let codes: string[] = [];
  const workers = await workersOf(async () => {
    const pool = createKeyExchangePool({ workers: 1 });
    const started = once(process, 'worker');
    const running = [MODP2048, CURVE25519, CURVE25519].map((method) =>
      run(pool, { op: 'initiate', method, seed: exactBytes(32) }),
    );
    // Its thread is only just starting, so the first job cannot be done.
    const [worker] = (await started) as [Worker];
    void worker.terminate();
    codes = (await Promise.all(running)).map(code);
    await pool.close();
  });
  assert.deepEqual(codes, ['unavailable', 'ok', 'ok']);
  assert.equal(workers.length, 2);
});

test('a job behind the bound of the queue is unavailable, later, and the others are done', async () => {
  const pool = createKeyExchangePool({ workers: 1, queueLimit: 3 });
  // One runs, three wait.
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => run(pool, initiate())));
  assert.deepEqual(outcomes.map(code), ['ok', 'ok', 'ok', 'ok', 'unavailable', 'unavailable']);
  await pool.close();
});

test('closing ends what runs, what waits and what comes after as unavailable, each once; closing twice is closing', async () => {
  const pool = createKeyExchangePool({ workers: 1 });
  const codes: string[] = [];
  const pending = Array.from({ length: 5 }, () =>
    run(pool, { op: 'initiate', method: MODP2048, seed: exactBytes(32) }).then((outcome) =>
      codes.push(code(outcome)),
    ),
  );
  await Promise.all([pool.close(), pool.close()]);
  await Promise.all(pending);
  assert.equal(code(await run(pool, initiate())), 'unavailable');
  assert.deepEqual(codes, Array(5).fill('unavailable'));
});

test('idle workers do not keep the process alive, and jobs under way do', () => {
  const script = `
    import { createKeyExchangePool } from ${JSON.stringify(new URL('../../lib/crypto/pool.js', import.meta.url).href)};
    import { algorithm } from ${JSON.stringify(new URL('../../lib/crypto/algorithms.js', import.meta.url).href)};
    const pool = createKeyExchangePool();
    const seed = new Uint8Array(32).fill(7);
    pool.run({ op: 'initiate', method: algorithm('ke', 'ecp256'), seed }, (outcome) => console.log(outcome.ok));
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(child.stdout, 'true\n', child.stderr);
  assert.equal(child.status, 0);
});

function unwrap(outcome: KeyExchangeOutcome) {
  assert.ok(outcome.ok);
  return outcome.value;
}
