// The portable plane beyond plain tunnels: transport mode through two planes and a NAT, traffic-flow padding, and the policies that
// have no SAs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { espByHand, mirror, patterned, saParameters, selectors, withTrailer } from './by-hand.ts';
import { address, ipv4, ports, sized } from './packets.ts';
import { Lab, read } from './portable-lab.ts';
import { tcp, udp, upperSum } from './upper.ts';

const HERE = { address: '192.0.2.1', port: 4500 };
const THERE = { address: '198.51.100.2', port: 4500 };
const NAT = { address: '203.0.113.77', port: 61000 };
const ends = { source: HERE.address, destination: THERE.address };
const ADDRESSES = { source: address(HERE.address), destination: address(THERE.address) };

/** A transport SA from HERE to THERE for any traffic between the two. */
function transportSa(overrides: Partial<EspParameters> = {}): EspParameters {
  return saParameters('aes256gcm16', {
    mode: 'transport',
    local: HERE,
    remote: THERE,
    localTs: selectors(HERE.address),
    remoteTs: selectors(THERE.address),
    ...overrides,
  });
}

function transportLab(overrides: Partial<EspParameters> = {}): Lab {
  const lab = new Lab();
  const sa = transportSa(overrides);
  lab.policy({ localTs: sa.localTs, remoteTs: sa.remoteTs });
  lab.add(sa);
  return lab;
}

const segment = (data = 10): Uint8Array =>
  ipv4({ ...ends, protocol: 6, payload: tcp(1000, 80, new Uint8Array(data).fill(3), ADDRESSES) });

test('RFC 3948 §3.2 §3.3: a packet goes through two planes in transport mode and comes out as it was', () => {
  const here = transportLab();
  const there = new Lab();
  there.add(mirror(transportSa()));
  assert.equal(here.plane.sendPacket(segment()), 'sent');
  const { esp } = here.transmitted[0];
  assert.equal(esp.length, 8 + 8 + 30 + 2 + 16, 'header, IV, segment, trailer, ICV');
  there.plane.receive(HERE, esp);
  const [{ packet }] = there.packets;
  assert.deepEqual(packet.slice(12), segment().slice(12), 'addresses and all that is behind them');
  assert.deepEqual(there.drops(), {});
  assert.equal(there.plane.querySa(2)?.bytes, segment().length);
  assert.equal(here.plane.querySa(1)?.bytes, segment().length);
});

test('RFC 3948 §3.1.2: through a NAT the packet has the address of the NAT, and its checksum is right for it', () => {
  const here = transportLab();
  const there = new Lab();
  // RFC 7296 §2.23.1: the selectors are those of the address that is seen.
  there.add(mirror(transportSa(), { remote: NAT, remoteTs: selectors(NAT.address) }));
  here.plane.sendPacket(segment(33));
  there.plane.receive(NAT, here.transmitted[0].esp);
  const [{ packet }] = there.packets;
  const inner = read(packet);
  assert.deepEqual(inner.summary.source, address(NAT.address));
  assert.equal(upperSum(6, packet.subarray(20), inner.summary), 0xffff);
});

test('RFC 4301 §5.2: an authentic packet that comes from an address outside the selectors is dropped', () => {
  const here = transportLab();
  const there = new Lab();
  there.add(mirror(transportSa()));
  here.plane.sendPacket(segment());
  there.plane.receive(NAT, here.transmitted[0].esp);
  assert.deepEqual(there.packets, []);
  assert.deepEqual(there.drops(), { selector: 1 });
});

test('RFC 4301 §4.1: in transport mode only what travels between the two ends goes by the SA', () => {
  const lab = transportLab({ localTs: selectors('0.0.0.0/0'), remoteTs: selectors('0.0.0.0/0') });
  for (const packet of [
    ipv4({ source: HERE.address, destination: '198.51.100.3' }),
    ipv4({ source: '192.0.2.9', destination: THERE.address }),
  ])
    assert.equal(lab.plane.sendPacket(packet), 'dropped');
  assert.deepEqual(lab.drops(), { 'no-sa': 2 });
  assert.equal(lab.plane.sendPacket(segment()), 'sent');
});

test('RFC 4303 §3.3.4: in transport mode a fragment is dropped and takes no number; in tunnel mode it passes', () => {
  const lab = transportLab();
  assert.equal(lab.plane.sendPacket(ipv4({ ...ends, moreFragments: true })), 'dropped');
  assert.equal(lab.plane.sendPacket(ipv4({ ...ends, fragmentOffset: 100 })), 'dropped');
  assert.equal(lab.plane.sendPacket(ipv4({ ...ends, options: new Uint8Array(4) })), 'dropped');
  assert.deepEqual(lab.drops(), { fragment: 2, 'outer-headers': 1 });
  assert.equal(lab.plane.querySa(1)?.sequence, 0);
  const tunnel = new Lab();
  tunnel.policy();
  tunnel.add(saParameters('aes256gcm16'));
  assert.equal(tunnel.plane.sendPacket(ipv4({ fragmentOffset: 100 })), 'sent');
});

test('RFC 3948 §5.2: two clients behind one NAT with the same selectors: each packet goes by an SA, none in clear', () => {
  const lab = new Lab();
  const all = { localTs: selectors(THERE.address), remoteTs: selectors(NAT.address) };
  const base = transportSa({ local: THERE, remote: NAT, ...all });
  lab.policy(all);
  lab.add(base);
  lab.add({ ...base, id: 3, spi: 3000, remote: { ...NAT, port: 61001 } });
  const answer = ipv4({
    source: THERE.address,
    destination: NAT.address,
    protocol: 17,
    payload: udp(80, 1000, new Uint8Array(5)),
  });
  assert.equal(lab.plane.sendPacket(answer), 'sent');
  assert.equal(lab.transmitted[0].remote.port, 61001, 'the newest');
  lab.plane.deleteSa(3);
  lab.plane.sendPacket(answer);
  assert.equal(lab.transmitted[1].remote.port, 61000);
});

test('RFC 3948 §3.1.1: behind a NAT the source of what comes out of a tunnel must be of the space that was agreed', () => {
  const here = new Lab();
  const there = new Lab();
  const sa = saParameters('aes256gcm16', { localTs: selectors('0.0.0.0/0') });
  here.policy({ localTs: sa.localTs });
  here.add(sa);
  there.add(mirror(sa, { remoteTs: selectors('10.1.2.3') }));
  for (const source of ['10.1.2.3', '10.1.2.4']) here.plane.sendPacket(ipv4({ source }));
  for (const { esp } of here.transmitted) there.plane.receive(HERE, esp);
  assert.deepEqual(
    there.packets.map(({ packet }) => read(packet).summary.source),
    [address('10.1.2.3')],
  );
  assert.deepEqual(there.drops(), { selector: 1 });
});

test('RFC 4303 §2.7: with tfcBytes packets of every length up to it look alike, and come out as they were', () => {
  const here = new Lab();
  const there = new Lab();
  const sa = saParameters('aes128-sha256', { tfcBytes: 1000 });
  here.policy();
  here.add(sa);
  there.add(mirror(sa));
  const sizes = [24, 25, 500, 999, 1000, 1001, 1400];
  for (const size of sizes) assert.equal(here.plane.sendPacket(sized(size)), 'sent');
  const lengths = here.transmitted.map(({ esp }) => esp.length);
  assert.equal(new Set(lengths.slice(0, 5)).size, 1);
  assert.ok(lengths[6] > lengths[0], 'longer ones are not cut');
  for (const { esp } of here.transmitted) there.plane.receive(sa.local, esp);
  assert.deepEqual(
    there.packets.map(({ packet }) => packet),
    sizes.map(sized),
  );
  assert.equal(
    here.plane.querySa(1)?.bytes,
    sizes.reduce((sum, size) => sum + size, 0),
  );
});

test('RFC 4301 §4.4.1: bypass: the packet is not ours and is told so; discard: it is dropped and counted', () => {
  const lab = new Lab();
  lab.policy({ id: 1, kind: 'bypass', priority: 1, remoteTs: selectors('10.2.0.0/24[udp/53]') });
  lab.policy({ id: 2, kind: 'discard', priority: 2, remoteTs: selectors('10.2.0.0/24') });
  lab.policy({ id: 100, priority: 3 });
  lab.add(saParameters('aes256gcm16'));
  assert.equal(lab.plane.sendPacket(ipv4({ payload: ports(9, 53) })), 'bypassed');
  assert.equal(lab.plane.sendPacket(ipv4({ payload: ports(9, 54) })), 'dropped');
  assert.equal(lab.plane.sendPacket(ipv4({ destination: '10.2.1.1' })), 'sent');
  assert.equal(lab.transmitted.length, 1);
  assert.deepEqual(lab.drops(), { discard: 1 });
  assert.equal(lab.plane.stats().packetsOut, 1);
});

test('RFC 4301 §7.4: fragments are discarded by the same selectors; a bypass with ports does not take later ones', () => {
  const lab = new Lab();
  lab.policy({ id: 1, kind: 'bypass', priority: 1, remoteTs: selectors('10.2.0.0/16[udp/53]') });
  lab.policy({ id: 2, kind: 'discard', priority: 2 });
  assert.equal(lab.plane.sendPacket(ipv4({ payload: ports(9, 53), moreFragments: true })), 'bypassed');
  assert.equal(lab.plane.sendPacket(ipv4({ payload: ports(9, 53), fragmentOffset: 50 })), 'dropped');
  assert.deepEqual(lab.drops(), { discard: 1 });
});

test('a packet that waited is not sent by an SA when a discard policy came meanwhile', () => {
  const lab = new Lab();
  lab.policy({ id: 7, kind: 'trap', priority: 1000 });
  lab.plane.sendPacket(ipv4({ destination: '10.2.0.1' }));
  lab.plane.sendPacket(ipv4({ destination: '10.2.0.2' }));
  lab.policy({ id: 8, kind: 'discard', priority: 1, remoteTs: selectors('10.2.0.1') });
  lab.policy({ id: 100, priority: 10 });
  lab.add(saParameters('aes256gcm16'));
  assert.equal(lab.transmitted.length, 1);
});

test('RFC 6040 §4.1: what a socket of Node cannot do is refused where it would change inner packets', () => {
  const lab = new Lab();
  const added = (header: EspParameters['header'], id: number): string => {
    let outcome = 'none';
    const sa = saParameters('aes256gcm16', {
      id,
      spi: 1000 + id,
      ...(header === undefined ? {} : { header }),
    });
    lab.plane.addSa(sa, (error) => (outcome = error?.code ?? 'accepted'));
    return outcome;
  };
  assert.equal(added({ copyDscp: 'in', ecn: true }, 1), 'bad-sa');
  assert.equal(added({ copyDscp: 'yes', ecn: false }, 2), 'bad-sa');
  assert.equal(added({ copyDscp: 'no', ecn: false }, 3), 'accepted');
  assert.equal(added({ copyDscp: 'out', ecn: true }, 4), 'accepted');
  assert.equal(added(undefined, 5), 'accepted');
});

test('SAs that the plane has no way for are refused: AH, and ESP inside AH', () => {
  const lab = new Lab();
  const { encryption: _cipher, encryptionKey: _key, ...rest } = saParameters('aes128-sha256');
  const { integrity, integrityKey } = rest;
  assert.ok(integrity && integrityKey);
  const ah = { ...rest, protocol: 'ah', integrity, integrityKey, udpEncapsulation: false } as const;
  assert.equal(lab.plane.supports(ah), false);
  for (const sa of [ah, saParameters('aes256gcm16', { outerSaId: 5 })])
    lab.plane.addSa(sa, (error) => assert.equal(error?.code, 'bad-sa'));
  assert.equal(lab.plane.supports({ ...saParameters('aes256gcm16'), mode: 'transport' }), true);
});

test('RFC 4303 §3.2 §5: NULL encryption is there, and no SA without integrity, whatever the cipher', () => {
  const lab = new Lab();
  for (const name of ['null-sha256', 'aes128-sha256', '3des-sha1', 'aes128ctr-sha256']) {
    const sa = saParameters(name);
    assert.equal(lab.plane.supports(sa), true, name);
    const { integrity: _integrity, integrityKey: _key, ...bare } = sa;
    assert.equal(lab.plane.supports(bare), false, name);
    lab.plane.addSa(bare, (error) => assert.equal(error?.code, 'bad-sa', name));
  }
});

test('RFC 4303 §4: each event that may be audited is counted under a name of its own', () => {
  const lab = new Lab();
  const sa = transportSa();
  const tunnel = saParameters('aes256gcm16', { id: 9, spi: 9000, policyId: 9 });
  lab.policy({ localTs: sa.localTs, remoteTs: sa.remoteTs });
  lab.add(sa);
  lab.add(mirror(tunnel));
  const esp = (sequence: bigint): Uint8Array =>
    espByHand(tunnel, sequence, patterned(8, Number(sequence)), withTrailer(tunnel, sized(30), 4));
  const stray = esp(7n);
  stray[0] ^= 1;
  const bent = esp(8n);
  bent[30] ^= 1;
  for (const packet of [stray, esp(1n), esp(1n), bent]) lab.plane.receive(HERE, packet);
  lab.plane.sendPacket(ipv4({ ...ends, fragmentOffset: 100 }));
  assert.deepEqual(lab.drops(), { 'unknown-spi': 1, replay: 1, integrity: 1, fragment: 1 });
});

test('RFC 4301 §4.1: several SAs with the same selectors are heard alike', () => {
  const lab = new Lab();
  const sas = [1, 3, 5].map((id) => saParameters('aes256gcm16', { id, spi: 1000 * id }));
  for (const sa of sas) lab.add(mirror(sa));
  for (const sequence of [1n, 2n])
    for (const sa of sas)
      lab.plane.receive(
        HERE,
        espByHand(sa, sequence, patterned(8, Number(sequence)), withTrailer(sa, sized(30), 4)),
      );
  assert.deepEqual(
    lab.packets.map(({ saId }) => saId),
    [2, 4, 6, 2, 4, 6],
  );
});
