// What an SA of the portable plane may carry: limits in packets and bytes, in both directions, and what the negotiation hears.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EspParameters, SaLimits } from '../../lib/ipsec/data-plane.ts';
import { SaUse } from '../../lib/ipsec/sa-use.ts';
import { espByHand, mirror, patterned, saParameters, withTrailer } from './by-hand.ts';
import { sized } from './packets.ts';
import { Lab } from './portable-lab.ts';

const PEER = { address: '127.0.0.1', port: 4500 };
const soft = (saId: number) => ({ type: 'expire', saId, hard: false });
const hard = (saId: number) => ({ type: 'expire', saId, hard: true });

/** A lab that sends by an SA with these limits. */
function sending(limits: SaLimits): Lab {
  const lab = new Lab();
  lab.policy();
  lab.add(saParameters('aes256gcm16', { limits }));
  return lab;
}

/** A lab that hears by an SA with these limits, and the packets for it. */
function hearing(limits: SaLimits): { lab: Lab; receive: (sequence: number, lengthBytes?: number) => void } {
  const lab = new Lab();
  const sa: EspParameters = saParameters('aes256gcm16', { limits });
  lab.add(mirror(sa));
  return {
    lab,
    receive: (sequence, lengthBytes = 100) =>
      lab.plane.receive(
        PEER,
        espByHand(sa, BigInt(sequence), patterned(8, sequence), withTrailer(sa, sized(lengthBytes), 4)),
      ),
  };
}

test('RFC 4301 §4.4.2.1: outbound: not one packet more than the hard limit, and each step is told once', () => {
  const lab = sending({ softPackets: 2, hardPackets: 4 });
  const outcomes = [1, 2, 3, 4, 5, 6].map(() => lab.plane.sendPacket(sized(100)));
  assert.deepEqual(outcomes, ['sent', 'sent', 'sent', 'sent', 'dropped', 'dropped']);
  assert.equal(lab.transmitted.length, 4);
  assert.deepEqual(lab.events, [soft(1), hard(1)]);
  assert.deepEqual(lab.drops(), { expired: 2 });
  assert.equal(lab.plane.querySa(1)?.packets, 4);
});

test('RFC 4301 §4.4.2.1: inbound: not one packet more than the hard limit, and each step is told once', () => {
  const { lab, receive } = hearing({ softPackets: 2, hardPackets: 4 });
  for (let sequence = 1; sequence <= 6; sequence++) receive(sequence);
  assert.equal(lab.packets.length, 4);
  assert.deepEqual(lab.events, [soft(2), hard(2)]);
  assert.deepEqual(lab.drops(), { expired: 2 });
  assert.equal(lab.plane.querySa(2)?.sequence, 4, 'a spent SA decrypts nothing');
});

test('RFC 4301 §4.4.2.1: bytes are those of inner packets; one that would lead beyond the limit ends the SA', () => {
  const lab = sending({ softBytes: 150, hardBytes: 250 });
  assert.equal(lab.plane.sendPacket(sized(100)), 'sent');
  assert.deepEqual(lab.events, []);
  assert.equal(lab.plane.sendPacket(sized(100)), 'sent');
  assert.deepEqual(lab.events, [soft(1)]);
  assert.equal(lab.plane.sendPacket(sized(51)), 'dropped');
  assert.equal(lab.plane.sendPacket(sized(50)), 'dropped');
  assert.deepEqual(lab.events, [soft(1), hard(1)]);
  assert.equal(lab.plane.querySa(1)?.bytes, 200);
  assert.equal(lab.transmitted.length, 2);

  const { lab: other, receive } = hearing({ hardBytes: 250 });
  for (const [index, lengthBytes] of [100, 100, 51, 50].entries()) receive(index + 1, lengthBytes);
  assert.equal(other.packets.length, 2);
  assert.deepEqual(other.events, [hard(2)]);
  assert.deepEqual(other.drops(), { expired: 2 });
});

test('RFC 4301 §4.4.2.1: a packet that just fills the limit passes, and ends the SA', () => {
  const lab = sending({ hardBytes: 200 });
  lab.plane.sendPacket(sized(100));
  assert.equal(lab.plane.sendPacket(sized(100)), 'sent');
  assert.deepEqual(lab.events, [hard(1)]);
});

test('RFC 4301 §4.4.2.1: what is not authentic or comes twice takes nothing from the limit', () => {
  const { lab, receive } = hearing({ hardPackets: 2 });
  receive(1);
  receive(1);
  lab.plane.receive(PEER, Uint8Array.from([0x11, 0x22, 0x33, 0x44, 0, 0, 0, 9, ...new Uint8Array(40)]));
  receive(2);
  assert.equal(lab.packets.length, 2);
  assert.deepEqual(lab.drops(), { replay: 1, integrity: 1 });
});

test('a packet that is refused for another reason takes nothing from the limit', () => {
  const lab = sending({ hardPackets: 1 });
  assert.equal(lab.plane.sendPacket(sized(65500)), 'dropped');
  assert.equal(lab.plane.sendPacket(sized(100)), 'sent');
  assert.deepEqual(lab.drops(), { 'too-big': 1 });
});

test('where soft and hard are reached by one packet only the hard one is told', () => {
  const lab = sending({ softPackets: 1, hardPackets: 1 });
  lab.plane.sendPacket(sized(100));
  assert.deepEqual(lab.events, [hard(1)]);
});

test('zero and absent stand for no limit', () => {
  const none = sending({ softPackets: 0, hardPackets: 0, softBytes: 0, hardBytes: 0 });
  for (let i = 0; i < 100; i++) assert.equal(none.plane.sendPacket(sized(100)), 'sent');
  assert.deepEqual(none.events, []);
});

test('when an SA is spent its successor carries the traffic, and the spent one stays counted', () => {
  const lab = sending({ hardPackets: 1 });
  lab.plane.sendPacket(sized(100));
  lab.add(saParameters('aes256gcm16', { id: 5, spi: 5000 }));
  assert.equal(lab.plane.sendPacket(sized(100)), 'sent');
  assert.equal(lab.plane.querySa(1)?.packets, 1);
  assert.equal(lab.plane.querySa(5)?.packets, 1);
});

test('limits agree with sums made by hand over random packets', () => {
  let seed = 12345;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 500; round++) {
    const limits = {
      softBytes: random(3) * random(2000),
      hardBytes: random(3) * random(4000),
      softPackets: random(3) * random(20),
      hardPackets: random(3) * random(40),
    };
    const use = new SaUse(limits);
    let [packets, bytes, ended] = [0, 0, false];
    const told: string[] = [];
    for (let i = 0; i < 60; i++) {
      const lengthBytes = 20 + random(200);
      const { hardPackets, hardBytes } = limits;
      const over =
        (hardPackets > 0 && packets + 1 > hardPackets) || (hardBytes > 0 && bytes + lengthBytes > hardBytes);
      ended ||= over;
      assert.equal(
        use.admits(lengthBytes),
        !ended,
        `${JSON.stringify(limits)} after ${packets} and ${bytes}`,
      );
      if (!ended) {
        use.count(lengthBytes, 1);
        packets++;
        bytes += lengthBytes;
      }
      // Spent as well when the last packet left nothing over.
      ended ||= (hardPackets > 0 && packets >= hardPackets) || (hardBytes > 0 && bytes >= hardBytes);
      const expiry = use.takeExpiry();
      if (expiry !== undefined) told.push(expiry);
    }
    assert.ok(limits.hardPackets === 0 || use.packets <= limits.hardPackets);
    assert.ok(limits.hardBytes === 0 || use.bytes <= limits.hardBytes);
    assert.ok(['', 'soft', 'hard', 'soft,hard'].includes(told.join()), told.join());
    assert.equal(told.includes('hard'), ended);
  }
});
