// The data plane that carries nothing: what tests and the simulation rely on.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { AhParameters, DataPlaneEvent, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { MemoryDataPlane } from '../../lib/ipsec/memory.ts';
import { mirror, saParameters } from './by-hand.ts';

const random = (lengthBytes: number): Uint8Array => new Uint8Array(randomBytes(lengthBytes));
const SA = saParameters('aes128-sha256');
const refused = (plane: MemoryDataPlane, sa: SaParameters = SA): string | undefined => {
  let code: string | undefined;
  plane.addSa(sa, (error) => (code = error?.code));
  return code;
};

test('SAs are kept with keys of their own, and wiped when they go', () => {
  const plane = new MemoryDataPlane(random);
  const given = { ...SA, encryptionKey: SA.encryptionKey.slice() };
  assert.equal(refused(plane, given), undefined);
  given.encryptionKey.fill(0);
  const kept = plane.sas.get(1);
  assert.deepEqual(kept, SA);
  plane.deleteSa(1);
  assert.equal(plane.sas.size, 0);
  assert.ok(kept?.encryptionKey.every((byte) => byte === 0));
  assert.ok(kept?.integrityKey?.every((byte) => byte === 0));
  plane.deleteSa(1);
});

test('both ends can be compared', () => {
  const here = new MemoryDataPlane(random);
  const there = new MemoryDataPlane(random);
  here.addSa(SA, () => {});
  there.addSa(mirror(SA), () => {});
  assert.deepEqual(here.sas.get(1)?.encryptionKey, there.sas.get(2)?.encryptionKey);
});

test('the newest outbound SA of a policy is the one that would carry traffic', () => {
  const plane = new MemoryDataPlane(random);
  for (const id of [1, 3, 5]) plane.addSa({ ...SA, id }, () => {});
  plane.addSa({ ...SA, id: 7, policyId: 8 }, () => {});
  assert.equal(plane.outboundSa(100)?.id, 5);
  plane.deleteSa(5);
  assert.equal(plane.outboundSa(100)?.id, 3);
  assert.equal(plane.outboundSa(9), undefined);
});

test('RFC 4303 §2.1, RFC 3948 §1: SPIs from 256 on, each one once, until they are freed', () => {
  // A source of chance that says 255, then the same SPI twice, then another one.
  const draws = [255, 4000, 4000, 5000];
  const plane = new MemoryDataPlane(() => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, draws.shift() ?? 4000);
    return bytes;
  });
  const allocate = (): number | string => {
    let answer: number | string = 'none';
    plane.allocateSpi((spi) => (answer = spi.ok ? spi.value : spi.error.code));
    return answer;
  };
  assert.equal(allocate(), 4000);
  assert.equal(allocate(), 5000);
  assert.equal(allocate(), 'no-spi');
  plane.addSa(mirror(SA, { spi: 4000 }), () => {});
  plane.releaseSpi(4000);
  assert.equal(allocate(), 'no-spi', 'an SPI of an SA is not released');
  plane.deleteSa(2);
  assert.equal(allocate(), 4000);
  plane.releaseSpi(4000);
  assert.equal(allocate(), 4000);
});

test('what cannot be is refused: keys of a wrong length, ids and SPIs twice', () => {
  const plane = new MemoryDataPlane(random);
  assert.equal(refused(plane, { ...SA, encryptionKey: new Uint8Array(15) }), 'bad-sa');
  assert.equal(refused(plane, { ...SA, integrityKey: new Uint8Array(31) }), 'bad-sa');
  assert.equal(refused(plane), undefined);
  assert.equal(refused(plane), 'duplicate');
  assert.equal(refused(plane, mirror(SA)), undefined);
  assert.equal(refused(plane, mirror(SA, { id: 9 })), 'duplicate');
});

test('events are raised by hand, counters set by hand', () => {
  const plane = new MemoryDataPlane(random, { udpEncapsulationOnly: true });
  const events: DataPlaneEvent[] = [];
  plane.onEvent((event) => events.push(event));
  plane.raise({ type: 'expire', saId: 1, hard: false });
  assert.deepEqual(events, [{ type: 'expire', saId: 1, hard: false }]);
  assert.equal(plane.udpEncapsulationOnly, true);
  plane.addSa(SA, () => {});
  assert.equal(plane.querySa(1)?.lastUsedMs, 0);
  plane.setCounters(1, { lastUsedMs: 5 });
  assert.equal(plane.querySa(1)?.lastUsedMs, 5);
  assert.equal(plane.querySa(2), undefined);
});

test('paths move, policies come and go, closing empties it', async () => {
  const plane = new MemoryDataPlane(random);
  plane.addSa(SA, () => {});
  const remote = { address: '192.0.2.1', port: 9 };
  plane.updateSa(1, { local: SA.local, remote });
  assert.deepEqual(plane.sas.get(1)?.remote, remote);
  const policy = { id: 3, kind: 'trap', priority: 1, localTs: SA.localTs, remoteTs: SA.remoteTs } as const;
  plane.addPolicy(policy, (error) => assert.equal(error, undefined));
  plane.addPolicy(policy, (error) => assert.equal(error?.code, 'duplicate'));
  assert.deepEqual([...plane.policies.keys()], [3]);
  plane.deletePolicy(3);
  assert.equal(plane.policies.size, 0);
  await plane.close();
  assert.equal(plane.sas.size, 0);
});

/** AH in transport mode, as it goes around ESP. */
function ahParameters(overrides: Partial<AhParameters> = {}): AhParameters {
  const { encryption: _cipher, encryptionKey: _key, ...rest } = SA;
  const { integrity, integrityKey } = SA;
  assert.ok(integrity && integrityKey);
  const ah = { ...rest, protocol: 'ah', mode: 'transport', integrity, integrityKey } as const;
  return { ...ah, id: 20, spi: 2000, udpEncapsulation: false, ...overrides };
}

test('RFC 4302 §3.1: AH in both modes, and never in UDP', () => {
  const plane = new MemoryDataPlane(random);
  assert.equal(plane.supports(ahParameters()), true);
  assert.equal(refused(plane, ahParameters()), undefined);
  assert.equal(refused(plane, ahParameters({ id: 21, mode: 'tunnel' })), undefined);
  assert.equal(refused(plane, ahParameters({ id: 22, udpEncapsulation: true })), 'bad-sa');
  assert.equal(refused(plane, ahParameters({ id: 22, integrityKey: new Uint8Array(3) })), 'bad-sa');
  assert.equal(refused(plane, ahParameters({ id: 22, outerSaId: 20 })), 'bad-sa');
  const kept = plane.sas.get(20)?.integrityKey;
  plane.deleteSa(20);
  assert.ok(
    kept?.every((byte) => byte === 0),
    'its key is wiped',
  );
});

test('RFC 4303 §3.1: ESP in transport mode, in UDP and without', () => {
  const plane = new MemoryDataPlane(random);
  assert.equal(plane.supports({ ...SA, mode: 'transport' }), true);
  assert.equal(refused(plane, { ...SA, mode: 'transport' }), undefined);
  assert.equal(refused(plane, { ...SA, id: 3, mode: 'transport', udpEncapsulation: false }), undefined);
});

test('an SA bundle: the AH SA must be there first, in transport mode and in the same direction', () => {
  const plane = new MemoryDataPlane(random);
  const esp = { ...SA, udpEncapsulation: false, outerSaId: 20 };
  assert.equal(refused(plane, esp), 'bad-sa');
  assert.equal(refused(plane, ahParameters({ mode: 'tunnel' })), undefined);
  assert.equal(refused(plane, esp), 'bad-sa');
  plane.deleteSa(20);
  assert.equal(refused(plane, ahParameters({ direction: 'in' })), undefined);
  assert.equal(refused(plane, esp), 'bad-sa');
  plane.deleteSa(20);
  assert.equal(refused(plane, { ...SA, id: 20 }), undefined);
  assert.equal(refused(plane, esp), 'bad-sa', 'ESP does not go around ESP');
  plane.deleteSa(20);
  assert.equal(refused(plane, ahParameters()), undefined);
  assert.equal(refused(plane, esp), undefined);
});

test('limits, padding and header rules are kept as they came, and what is no number of bytes or packets is refused', () => {
  const plane = new MemoryDataPlane(random);
  const extras = {
    limits: { softBytes: 1, hardBytes: 2, softPackets: 3, hardPackets: 4 },
    tfcBytes: 1400,
    header: { copyDscp: 'yes', ecn: false },
  } as const;
  assert.equal(refused(plane, { ...SA, ...extras }), undefined);
  const kept = plane.sas.get(1);
  assert.deepEqual([kept?.limits, kept?.tfcBytes, kept?.header], [extras.limits, 1400, extras.header]);
  for (const wrong of [-1, 1.5, Number.NaN, 2 ** 53])
    for (const limit of ['softBytes', 'hardBytes', 'softPackets', 'hardPackets'])
      assert.equal(refused(plane, { ...SA, id: 9, limits: { [limit]: wrong } }), 'bad-sa', limit);
  for (const tfcBytes of [-1, 0.5, 65_536])
    assert.equal(refused(plane, { ...SA, id: 9, tfcBytes }), 'bad-sa');
  assert.equal(refused(plane, { ...SA, id: 9, mode: 'transport', tfcBytes: 100 }), 'bad-sa');
});

test('RFC 4303 §3.2: what protects nothing, or twice, is not supported', () => {
  const plane = new MemoryDataPlane(random);
  const { integrity: _integrity, integrityKey: _key, ...bare } = SA;
  assert.equal(plane.supports(bare), false);
  assert.equal(refused(plane, bare), 'bad-sa');
  const aead = saParameters('aes128gcm16').encryption;
  assert.equal(plane.supports({ ...SA, encryption: aead }), false);
  assert.equal(plane.supports({ ...ahParameters(), encryption: aead }), false);
  assert.equal(plane.supports({ protocol: 'ah', mode: 'tunnel' }), false);
});
