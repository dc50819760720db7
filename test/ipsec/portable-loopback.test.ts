// Two portable planes with sockets of their own on loopback, and SAs made by hand: packets both ways, and hostile datagrams.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../lib/ike/runtime.ts';
import type { EspParameters, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { openPortable, type PortableDataPlane } from '../../lib/ipsec/portable/index.ts';
import type { Endpoint } from '../../lib/net/address.ts';
import { nodeCrypto } from '../lib/node-crypto.ts';
import { mirror, saParameters, selectors } from './by-hand.ts';
import { address, ipv4, sized } from './packets.ts';
import { udp } from './upper.ts';

interface Side {
  readonly plane: PortableDataPlane;
  readonly natt: Endpoint;
  /** Resolves when so many packets have come in all. */
  readonly received: (packets: number) => Promise<readonly Uint8Array[]>;
}

async function side(t: TestContext, address: string): Promise<Side> {
  const config = { listen: { addresses: [address], port: 0, nattPort: 0 }, limits: { heldPackets: 16 } };
  const { dataPlane, transport } = await openPortable(config, {
    crypto: nodeCrypto(),
    random: (lengthBytes) => new Uint8Array(randomBytes(lengthBytes)),
    nowMs: () => performance.now(),
    log: silentLog,
  });
  t.after(async () => {
    await dataPlane.close();
    await transport.close();
  });
  const packets: Uint8Array[] = [];
  let wanted = 0;
  let reached = (): void => {};
  dataPlane.onPacket((packet) => {
    packets.push(packet);
    if (packets.length >= wanted) reached();
  });
  return {
    plane: dataPlane,
    natt: { address, port: transport.ports.natt },
    received: async (count) => {
      wanted = count;
      if (packets.length < count) await new Promise<void>((resolve) => (reached = resolve));
      return packets;
    },
  };
}

/** SAs and a policy for both directions. */
function connect(
  here: Side,
  there: Side,
  suite: string,
  esn: boolean,
  changes: Partial<EspParameters> = {},
): void {
  const path = { local: here.natt, remote: there.natt };
  const forth = saParameters(suite, { id: 1, spi: 0x1001, esn, ...path, ...changes });
  const back = mirror(forth, { id: 3, spi: 0x2002, direction: 'out' });
  const install = (plane: PortableDataPlane, sa: SaParameters): void =>
    plane.addSa(sa, (error) => assert.equal(error, undefined));
  for (const [{ plane }, out, inbound] of [
    [here, forth, mirror(back)],
    [there, back, mirror(forth)],
  ] as const) {
    const { localTs, remoteTs } = out;
    plane.addPolicy({ id: 100, kind: 'protect', priority: 1, localTs, remoteTs }, (error) =>
      assert.equal(error, undefined),
    );
    install(plane, inbound);
    install(plane, out);
  }
}

for (const [suite, esn] of [
  ['aes256gcm16', false],
  ['aes256gcm16', true],
  ['aes128-sha256', false],
  ['aes256-sha512', true],
] as const)
  test(`RFC 3948 §3.4 §3.5: ${suite}${esn ? ' with ESN' : ''}: packets of every size go both ways over UDP`, async (t) => {
    const here = await side(t, '127.0.0.1');
    const there = await side(t, '127.0.0.2');
    connect(here, there, suite, esn);
    const sizes = [24, 25, 60, 576, 1399, 1400, 9000, 60_000];
    const backwards = ipv4({ source: '10.2.0.1', destination: '10.1.0.1' });
    for (const size of sizes) assert.equal(here.plane.sendPacket(sized(size)), 'sent');
    assert.deepEqual(await there.received(sizes.length), sizes.map(sized));
    for (let i = 0; i < 3; i++) assert.equal(there.plane.sendPacket(backwards), 'sent');
    assert.deepEqual(await here.received(3), [backwards, backwards, backwards]);
    assert.deepEqual(here.plane.stats().drops, {});
    assert.deepEqual(there.plane.stats().drops, {});
    assert.equal(there.plane.stats().packetsIn, sizes.length);
    assert.ok((there.plane.querySa(2)?.lastUsedMs ?? 0) > 0);
  });

test('RFC 3948 §3.2 §3.3: in transport mode packets between the two hosts themselves go both ways over UDP', async (t) => {
  const here = await side(t, '127.0.0.1');
  const there = await side(t, '127.0.0.2');
  const [localTs, remoteTs] = [selectors('127.0.0.1'), selectors('127.0.0.2')];
  connect(here, there, 'aes256gcm16', true, { mode: 'transport', localTs, remoteTs });
  const between = (source: string, destination: string, dataBytes: number): Uint8Array => {
    const addresses = { source: address(source), destination: address(destination) };
    const payload = udp(7, 9, new Uint8Array(dataBytes).fill(5), addresses);
    return ipv4({ source, destination, protocol: 17, payload });
  };
  const sizes = [0, 1, 1000, 60_000];
  for (const size of sizes)
    assert.equal(here.plane.sendPacket(between('127.0.0.1', '127.0.0.2', size)), 'sent');
  const [first, ...others] = await there.received(sizes.length);
  assert.deepEqual(first.slice(12), between('127.0.0.1', '127.0.0.2', 0).slice(12));
  assert.equal(others[2].length, 60_028);
  assert.equal(there.plane.sendPacket(between('127.0.0.2', '127.0.0.1', 33)), 'sent');
  const [back] = await here.received(1);
  assert.deepEqual(back.slice(12), between('127.0.0.2', '127.0.0.1', 33).slice(12));
  assert.deepEqual([here.plane.stats().drops, there.plane.stats().drops], [{}, {}]);
});

test('hostile datagrams are counted and disturb nothing', async (t) => {
  const here = await side(t, '127.0.0.1');
  const there = await side(t, '127.0.0.2');
  connect(here, there, 'aes256gcm16', false);
  const stranger = createSocket('udp4');
  t.after(() => stranger.close());
  const send = (data: Uint8Array): Promise<void> =>
    new Promise((resolve) => stranger.send(data, there.natt.port, there.natt.address, () => resolve()));
  for (let length = 0; length < 200; length++) {
    const junk = new Uint8Array(randomBytes(length));
    // Half of them name the SPI of an SA.
    if (length >= 8 && length % 2 === 0) junk.set([0, 0, 0x10, 0x01]);
    await send(junk);
  }
  assert.equal(here.plane.sendPacket(sized(100)), 'sent');
  assert.deepEqual(await there.received(1), [sized(100)]);
  const { drops } = there.plane.stats();
  const counted = Object.values(drops).reduce((sum, packets) => sum + packets, 0);
  assert.equal(counted, 192, 'all that had room for an SPI and a number');
  assert.ok(drops.integrity > 0 && drops['unknown-spi'] > 0);
});
