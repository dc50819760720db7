// Policies as packets meet them in the engine's core: protect, bypass and discard, in the order of priority, with SAs that come and go.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../lib/ipsec/data-plane.ts';
import { nativeSa } from '../../lib/ipsec/engine/index.ts';
import { loadAddon, type NativeCoreBench } from '../../lib/ipsec/engine/native.ts';
import { saOf, selector } from './esp-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const HERE = '10.1.0.1';
const MANY = 10_000;

function core(): NativeCoreBench {
  const { CoreBench } = loadAddon();
  return new CoreBench();
}

function addPolicy(
  to: NativeCoreBench,
  id: number,
  kind: Policy['kind'],
  priority: number,
  local: string,
  remote: string,
) {
  to.addPolicy({ id, kind, priority, localTs: [selector(local)], remoteTs: [selector(remote)] });
}

function addSa(to: NativeCoreBench, id: number, policyId: number, spi: number, remote = '0.0.0.0/0') {
  const sa = saOf('aes128gcm16', { id, policyId, spi, remoteTs: [selector(remote)] });
  to.addSa(nativeSa(sa));
}

function quad(address: string): number[] {
  return address.split('.').map(Number);
}

/** An IPv4 packet with four bytes behind its header. */
function packet(destination: string, protocol = 17, payload = [0, 7, 0, 9], source = HERE): Uint8Array {
  const header = [0x45, 0, 0, 24, 0, 0, 0, 0, 64, protocol, 0, 0, ...quad(source), ...quad(destination)];
  return Uint8Array.from([...header, ...payload]);
}

/** The SPI of what left, or the cause. */
function fate(from: NativeCoreBench, ...packets: Uint8Array[]): (number | string)[] {
  return from
    .outbound(packets)
    .map((result) =>
      typeof result === 'string' ? result : new DataView(result.buffer, result.byteOffset).getUint32(0),
    );
}

test('RFC 4301 §4.4.1: discard drops and counts, bypass is marked, protect goes through its SA, in the order of priority', {
  skip,
}, () => {
  const spd = core();
  addPolicy(spd, 1, 'protect', 30, '10.1.0.0/16', '10.2.0.0/16');
  addSa(spd, 11, 1, 0x1111);
  addPolicy(spd, 2, 'discard', 20, '10.1.0.0/16', '10.2.3.0/24');
  addPolicy(spd, 3, 'bypass', 10, '10.1.0.0/16', '10.2.3.4');
  const packets = ['10.2.0.1', '10.2.3.1', '10.2.3.4', '10.3.0.1'].map((to) => packet(to));
  for (let time = 0; time < 2; time++)
    assert.deepEqual(fate(spd, ...packets), [0x1111, 'discard', 'bypass', 'no-policy']);
  spd.deletePolicy(3);
  assert.deepEqual(fate(spd, ...packets), [0x1111, 'discard', 'discard', 'no-policy']);
  spd.deletePolicy(2);
  assert.deepEqual(fate(spd, ...packets), [0x1111, 0x1111, 0x1111, 'no-policy']);
  spd.deleteSa(11);
  assert.deepEqual(fate(spd, ...packets), ['no-sa', 'no-sa', 'no-sa', 'no-policy']);
});

test('RFC 4301 §4.4.1: neither bypass nor discard has SAs, even when one names them', { skip }, () => {
  const spd = core();
  addPolicy(spd, 1, 'bypass', 1, '10.1.0.0/16', '10.2.0.0/16');
  addPolicy(spd, 2, 'discard', 1, '10.1.0.0/16', '10.3.0.0/16');
  addSa(spd, 11, 1, 0x1111);
  addSa(spd, 12, 2, 0x2222);
  assert.deepEqual(fate(spd, packet('10.2.0.1'), packet('10.3.0.1')), ['bypass', 'discard']);
});

test('the newest SA of a policy carries a packet, then the one before; SAs outlive their policy and may come before it', {
  skip,
}, () => {
  const spd = core();
  addSa(spd, 11, 1, 0x1111);
  addSa(spd, 12, 1, 0x2222);
  assert.deepEqual(fate(spd, packet('10.2.0.1')), ['no-policy']);
  addPolicy(spd, 1, 'protect', 1, '10.1.0.0/16', '10.2.0.0/16');
  assert.deepEqual(fate(spd, packet('10.2.0.1')), [0x2222]);
  addSa(spd, 13, 1, 0x3333, '10.2.9.0/24');
  assert.deepEqual(fate(spd, packet('10.2.0.1'), packet('10.2.9.1')), [0x2222, 0x3333]);
  spd.deletePolicy(1);
  assert.deepEqual(fate(spd, packet('10.2.0.1'), packet('10.2.9.1')), ['no-policy', 'no-policy']);
  spd.deleteSa(12);
  addPolicy(spd, 1, 'protect', 1, '10.1.0.0/16', '10.2.0.0/16');
  assert.deepEqual(fate(spd, packet('10.2.0.1'), packet('10.2.9.1')), [0x1111, 0x3333]);
});

test('RFC 4301 §4.4.1.3: a peer that may send no ICMP can still be sent it', { skip }, () => {
  const spd = core();
  addPolicy(spd, 1, 'discard', 1, '10.1.0.0/16[icmp/2048-2303]', '10.2.0.0/16[icmp/opaque]');
  const echo = [8, 0, 0, 0];
  assert.deepEqual(fate(spd, packet('10.2.0.1', 1, echo), packet('10.1.0.1', 1, echo, '10.2.0.1')), [
    'discard',
    'no-policy',
  ]);
});

test('each of 10,000 policies that differ by ports, by addresses, or by one side only finds its own packets', {
  skip,
}, () => {
  const shapes: [string, (n: number) => [string, string], (n: number) => Uint8Array][] = [
    [
      'ports',
      (n) => ['10.1.0.0/16', `10.2.0.0/16[udp/${n + 1}]`],
      (n) => packet('10.2.0.1', 17, [0, 7, (n + 1) >> 8, (n + 1) & 255]),
    ],
    [
      'networks',
      (n) => ['10.1.0.0/16', `11.${n >> 8}.${n & 255}.0/24`],
      (n) => packet(`11.${n >> 8}.${n & 255}.77`),
    ],
    [
      'local hosts',
      (n) => [`12.0.${n >> 8}.${n & 255}`, '0.0.0.0/0'],
      (n) => packet('192.0.2.1', 17, [0, 7, 0, 9], `12.0.${n >> 8}.${n & 255}`),
    ],
  ];
  for (const [name, selectors, packetOf] of shapes) {
    const spd = core();
    for (let n = 0; n < MANY; n++)
      addPolicy(spd, n, n % 2 === 0 ? 'discard' : 'bypass', n % 3, ...selectors(n));
    const sample = Array.from({ length: 200 }, (_, i) => (i * 7919) % MANY);
    assert.deepEqual(
      fate(spd, ...sample.map(packetOf)),
      sample.map((n) => (n % 2 === 0 ? 'discard' : 'bypass')),
      name,
    );
    for (let n = 0; n < MANY; n += 2) spd.deletePolicy(n);
    assert.deepEqual(
      fate(spd, ...sample.map(packetOf)),
      sample.map((n) => (n % 2 === 0 ? 'no-policy' : 'bypass')),
      name,
    );
  }
});

test('100 SA pairs on 10 policies: every packet is sealed by its own SA and opened by its twin', {
  skip,
}, () => {
  const spd = core();
  spd.populate(100, 10, 1_024);
  assert.doesNotThrow(() => spd.run(64, 6_400, true));
  spd.depopulate();
  assert.deepEqual(fate(spd, packet('10.0.0.1', 17, [0, 7, 0, 9], '172.16.0.1')), ['no-policy']);
});
