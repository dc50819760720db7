// The plane that stands on a kernel, with a kernel that is a table (fake-kernel.ts): what SAs and policies become, and what happens when
// the kernel says no, answers late, or has lost what it wanted to tell. test/kernel has the real one.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/parse.ts';
import { uncarriedProposal } from '../../lib/data-planes.ts';
import type { ErrorInfo, Result } from '../../lib/errors.ts';
import { silentLog } from '../../lib/ike/runtime.ts';
import type { DataPlaneEvent, Policy, SaParameters, WantedSa } from '../../lib/ipsec/data-plane.ts';
import { openKernelPlane } from '../../lib/ipsec/kernel/index.ts';
import type { KernelDataPlane } from '../../lib/ipsec/kernel/plane.ts';
import { saParameters, selectors } from './by-hand.ts';
import { FakeKernel } from './fake-kernel.ts';

const REQID = 0x494b0000;
const CHILD = {
  id: 100,
  kind: 'protect',
  priority: 1002,
  localTs: selectors('10.1.0.0/16'),
  remoteTs: selectors('10.2.0.0/16'),
} as const satisfies Policy;
const TRAP = {
  ...CHILD,
  id: 50,
  kind: 'trap',
  priority: 1003,
  wanted: { protocol: 'esp', mode: 'tunnel', local: '192.0.2.1', remote: '192.0.2.2' },
} as const satisfies Policy;
const WANTED = { protocol: 'esp', mode: 'tunnel', local: '192.0.2.1', remote: '192.0.2.2' } as const;
const random = (lengthBytes: number): Uint8Array => new Uint8Array(randomBytes(lengthBytes));

interface Stand {
  readonly kernel: FakeKernel;
  readonly plane: KernelDataPlane;
  readonly events: DataPlaneEvent[];
}

async function stand(input: object = {}, kernel = new FakeKernel()): Promise<Stand> {
  const plane = await openKernelPlane(parseConfig({ connections: {}, ...input }), kernel, {
    random,
    nowMs: () => performance.now(),
    log: silentLog,
  });
  const events: DataPlaneEvent[] = [];
  plane.onEvent((event) => events.push(event));
  kernel.asked.length = 0;
  return { kernel, plane, events };
}

const sa = (direction: 'in' | 'out', id: number, changes: object = {}): SaParameters => ({
  ...saParameters('aes128gcm16'),
  direction,
  id,
  spi: 0x1000 + id,
  mode: 'tunnel',
  policyId: CHILD.id,
  localTs: CHILD.localTs,
  remoteTs: CHILD.remoteTs,
  local: { address: '192.0.2.1', port: 4500 },
  remote: { address: '192.0.2.2', port: 4500 },
  ...changes,
});

const add = ({ plane }: Stand, parameters: SaParameters): Promise<ErrorInfo | undefined> =>
  new Promise((resolve) => plane.addSa(parameters, resolve));
const policy = ({ plane }: Stand, wanted: Policy): Promise<ErrorInfo | undefined> =>
  new Promise((resolve) => plane.addPolicy(wanted, resolve));
const spi = ({ plane }: Stand, wanted: WantedSa = WANTED): Promise<Result<number>> =>
  new Promise((resolve) => plane.allocateSpi(resolve, wanted));
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

test('a child is three policies that name its SAs, from the first SA on', async () => {
  const bench = await stand();
  assert.equal(await policy(bench, CHILD), undefined);
  assert.equal(bench.kernel.policies.size, 0);
  assert.equal(await add(bench, sa('in', 1)), undefined);
  // Outwards nothing passes in clear from here on, though the SA for it is still to come.
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 192.0.2.2 1']);
  assert.equal(await add(bench, sa('out', 2)), undefined);
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 192.0.2.2 1']);
  assert.deepEqual(bench.kernel.list('in'), ['allow, 1002, esp tunnel 192.0.2.1 1']);
  assert.deepEqual(bench.kernel.list('fwd'), ['allow, 1002, esp tunnel 192.0.2.1 1']);
  const [kept] = [...bench.kernel.sas.values()];
  assert.deepEqual([kept.reqid, kept.selector?.sourceBits], [REQID + 1, 16]);
  await bench.plane.close();
  assert.deepEqual([bench.kernel.sas.size, bench.kernel.policies.size, bench.kernel.closed], [0, 0, true]);
});

test('a child and the trap that brought it up share reqid and place: the child stands there, then the trap again', async () => {
  const bench = await stand();
  await policy(bench, TRAP);
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1003, esp tunnel 192.0.2.2 1']);
  bench.kernel.raise({ type: 'acquire', reqid: REQID + 1 });
  assert.deepEqual(bench.events, [{ type: 'acquire', policyId: TRAP.id, packet: undefined }]);
  await policy(bench, CHILD);
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1003, esp tunnel 192.0.2.2 1'], 'the packet waits');
  await add(bench, sa('in', 1));
  await add(bench, sa('out', 2));
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 192.0.2.2 1']);
  bench.plane.deleteSa(1);
  bench.plane.deleteSa(2);
  bench.plane.deletePolicy(CHILD.id);
  await settled();
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1003, esp tunnel 192.0.2.2 1']);
  assert.equal(bench.kernel.policies.size, 3);
  // Another reqid is nobody's.
  bench.kernel.raise({ type: 'acquire', reqid: REQID + 2 });
  assert.equal(bench.events.length, 1);
  await bench.plane.close();
});

test('of two children with the same selectors the newer stands, and each takes the packets of both', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  await add(bench, sa('out', 2));
  await policy(bench, { ...CHILD, id: 200 });
  const elsewhere = { policyId: 200, remote: { address: '192.0.2.99', port: 4500 } };
  await add(bench, sa('out', 4, elsewhere));
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 192.0.2.99 1']);
  bench.plane.deleteSa(4);
  bench.plane.deletePolicy(200);
  await settled();
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 192.0.2.2 1']);
  await bench.plane.close();
});

test('AH around ESP is two templates, and the AH SA has a reqid of its own', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  const { encryption: _, encryptionKey: __, ...rest } = saParameters('aes128-sha256');
  const ah = { ...rest, protocol: 'ah', mode: 'transport', policyId: 0, udpEncapsulation: false } as const;
  const path = { local: sa('out', 9).local, remote: sa('out', 9).remote, udpEncapsulation: false };
  assert.equal(
    (await add(bench, sa('out', 2, { ...path, outerSaId: 9 })))?.message,
    'SA 9 is no AH SA in transport mode of this direction',
  );
  assert.equal(
    await add(bench, { ...ah, ...path, id: 9, spi: 0x2009, direction: 'out' } as SaParameters),
    undefined,
  );
  assert.equal(await add(bench, sa('out', 2, { ...path, outerSaId: 9 })), undefined);
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 192.0.2.2 1, ah transport any 2']);
  await bench.plane.close();
});

test('an SA that the kernel refuses leaves nothing, and says why', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  const reserved = await spi(bench);
  const id = reserved.ok ? reserved.value : 0;
  bench.kernel.failures.push(['addSa', 'ENOSYS']);
  const refused = await add(bench, sa('in', 1, { spi: id }));
  assert.equal(refused?.code, 'ERR_IKE_ALGORITHM');
  assert.match(refused?.message ?? '', /aes128gcm16.*aes, gcm, ctr, ghash, seqiv, drbg.*ENOSYS/);
  assert.deepEqual([bench.kernel.sas.size, bench.kernel.policies.size], [0, 0]);
  // The number is free again.
  assert.equal(await add(bench, sa('in', 1)), undefined);
  await bench.plane.close();
});

test('a policy that the kernel refuses takes its SA along', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  bench.kernel.failures.push(['setPolicy', 'EINVAL']);
  const refused = await add(bench, sa('in', 1));
  assert.match(refused?.message ?? '', /the policy between 10.1.0.0\/16 and 10.2.0.0\/16: EINVAL/);
  await settled();
  assert.equal(bench.kernel.sas.size, 0);
  await bench.plane.close();
  assert.equal(bench.kernel.policies.size, 0);
});

test('what is deleted while it is being added goes as soon as it is there', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  const adding = add(bench, sa('in', 1));
  bench.plane.deleteSa(1);
  assert.equal((await adding)?.code, 'removed');
  await settled();
  assert.deepEqual([bench.kernel.sas.size, bench.kernel.policies.size], [0, 0]);
  await bench.plane.close();
});

test('closing while things are under way leaves nothing', async () => {
  const bench = await stand();
  await policy(bench, TRAP);
  await policy(bench, CHILD);
  void spi(bench);
  void add(bench, sa('in', 1));
  void add(bench, sa('out', 2));
  await bench.plane.close();
  await settled();
  assert.deepEqual([bench.kernel.sas.size, bench.kernel.policies.size, bench.kernel.larval.size], [0, 0, 0]);
  assert.equal((await add(bench, sa('in', 3)))?.code, 'ERR_IKE_CLOSED');
  assert.equal((await policy(bench, { ...CHILD, id: 7 }))?.code, 'ERR_IKE_CLOSED');
  assert.equal((await spi(bench)).ok, false);
  await bench.plane.close();
});

test('an SPI that the kernel gives out twice, for another address, is drawn again', async () => {
  const bench = await stand();
  bench.kernel.spis.push(0xc1000000, 0xc1000000, 0xc1000001);
  const first = await spi(bench);
  const second = await spi(bench, { ...WANTED, local: '192.0.2.77' });
  assert.deepEqual([first.ok && first.value, second.ok && second.value], [0xc1000000, 0xc1000001]);
  await settled();
  assert.equal(bench.kernel.larval.size, 2);
  bench.plane.releaseSpi(0xc1000000);
  await settled();
  assert.equal(bench.kernel.larval.size, 1);
  await bench.plane.close();
});

test('when events were lost, what has ended meanwhile is told', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  const limits = { softPackets: 10, hardPackets: 20 };
  for (const id of [1, 2, 3]) await add(bench, sa('out', id, { limits }));
  const [gone] = [...bench.kernel.sas];
  bench.kernel.sas.delete(gone[0]);
  bench.kernel.counted.set(0x1002, { packets: 11 });
  bench.kernel.raise({ type: 'lost' });
  await settled();
  assert.deepEqual(bench.events, [
    { type: 'expire', saId: 1, hard: true },
    { type: 'expire', saId: 2, hard: false },
  ]);
  assert.equal(bench.plane.querySa(2)?.packets, 11);
  // Once is enough.
  bench.kernel.raise({ type: 'lost' });
  await settled();
  assert.equal(bench.events.length, 2);
  await bench.plane.close();
});

test('an SA that has ended in the kernel is not deleted there again', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  await add(bench, sa('out', 2));
  const [key] = [...bench.kernel.sas.values()];
  bench.kernel.sas.clear();
  bench.kernel.raise({ type: 'expire', sa: key, hard: true });
  assert.deepEqual(bench.events, [{ type: 'expire', saId: 2, hard: true }]);
  bench.kernel.asked.length = 0;
  bench.plane.deleteSa(2);
  await settled();
  assert.equal(bench.kernel.asked.includes('deleteSa'), false);
  await bench.plane.close();
});

test('an SA moves, its policy with it; one that cannot asks to be replaced', async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  await add(bench, sa('out', 2));
  const path = {
    local: { address: '192.0.2.1', port: 4500 },
    remote: { address: '198.51.100.9', port: 6000 },
  };
  bench.plane.updateSa(2, path);
  await settled();
  assert.deepEqual(bench.kernel.list('out'), ['allow, 1002, esp tunnel 198.51.100.9 1']);
  const [moved] = [...bench.kernel.sas.values()];
  assert.equal(moved.encapsulation?.destinationPort, 6000);
  // Known by its new place.
  bench.kernel.raise({ type: 'expire', sa: moved, hard: false });
  assert.deepEqual(bench.events.splice(0), [{ type: 'expire', saId: 2, hard: false }]);
  bench.kernel.asked.length = 0;
  bench.plane.updateSa(2, path);
  await settled();
  assert.equal(bench.kernel.asked.includes('moveSa'), false, 'it is there already');
  bench.kernel.failures.push(['moveSa', 'ENOTSUP']);
  bench.plane.updateSa(2, { ...path, remote: { address: '198.51.100.10', port: 6000 } });
  await settled();
  assert.deepEqual(bench.events, [{ type: 'expire', saId: 2, hard: false }]);
  await bench.plane.close();
});

test("counters are the kernel's, and time of use is when they were seen to grow", async () => {
  const bench = await stand();
  await policy(bench, CHILD);
  await add(bench, sa('in', 1));
  assert.deepEqual(bench.plane.querySa(1)?.packets, 0);
  await settled();
  bench.kernel.counted.set(0x1001, {
    packets: 7,
    bytes: 700,
    sequence: 8,
    replayDrops: 1,
    integrityDrops: 2,
  });
  await new Promise((resolve) => setTimeout(resolve, 60));
  bench.plane.querySa(1);
  await settled();
  const counters = bench.plane.querySa(1);
  const { lastUsedMs, ...rest } = counters ?? assert.fail();
  assert.deepEqual(rest, {
    packets: 7,
    bytes: 700,
    sequence: 8,
    replayDrops: 1,
    integrityDrops: 2,
    selectorDrops: 0,
  });
  assert.ok(lastUsedMs > 0 && lastUsedMs <= performance.now());
  bench.plane.deleteSa(1);
  assert.equal(bench.plane.querySa(1), undefined);
  assert.deepEqual([bench.plane.stats().packetsIn, bench.plane.stats().bytesIn], [7, 700]);
  await bench.plane.close();
});

const connections = (child: object) => ({
  connections: {
    c: {
      remote: { address: '192.0.2.2', auth: { psk: 'one that is long enough' } },
      children: { lan: { localTs: ['10.1.0.0/16'], remoteTs: ['10.2.0.0/16'], ...child } },
    },
  },
});

test('algorithms that the kernel lacks are refused by name before anything begins', async () => {
  const kernel = new FakeKernel();
  kernel.failures.push(['addSa', 'ENOENT']);
  const input = connections({ espProposals: ['chacha20poly1305', 'aes128gcm16'] });
  const { plane } = await stand(input, kernel);
  const problem = uncarriedProposal(parseConfig(input), plane);
  assert.equal(problem?.path, 'connections.c.children.lan.espProposals');
  assert.match(
    problem?.message ?? '',
    /the kernel cannot do chacha20poly1305: it lacks one of the modules chacha/,
  );
  assert.equal(kernel.sas.size, 0);
  await plane.close();
});

test('a kernel without ESP is an error that says so', async () => {
  const kernel = new FakeKernel();
  kernel.failures.push(['addSa', 'EPROTONOSUPPORT']);
  await assert.rejects(stand({}, kernel), (error: Error & { code: string }) => {
    assert.equal(error.code, 'ERR_IKE_NO_ESP');
    assert.match(error.message, /no ESP over IPv4: it lacks the module esp4.*dataPlane 'engine'/);
    return true;
  });
  assert.equal(kernel.closed, true);
});

test('options that a plane has nothing for are refused by name', async () => {
  const { plane } = await stand();
  const wide = parseConfig(connections({ replayWindow: 8192 }));
  assert.match(uncarriedProposal(wide, plane)?.message ?? '', /children\.lan: replayWindow: too wide/);
  const marked = parseConfig(connections({ markOut: '0x10/0xff', ifIdIn: 7 }));
  assert.equal(uncarriedProposal(marked, plane), undefined);
  const engine = { name: 'engine', supports: () => true } as const;
  assert.match(uncarriedProposal(marked, engine)?.message ?? '', /ifIdIn: the engine data plane.*'xfrm' has/);
  await plane.close();
});
