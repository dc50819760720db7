// ESP in tunnel and transport mode, with and without UDP, in every mix of families, against models of ESP and of IP headers.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { ipv4, ipv6, modelOpen, modelSeal, SUITES, saOf, selector } from './esp-model.ts';
import {
  checksum,
  codecOf,
  ENDS,
  endsOf,
  type Family,
  flip,
  generator,
  ipPacket,
  passed,
  tunnelHeader,
  upper,
  upperSum,
} from './header-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const FAMILIES = [4, 6] as const;
const HEADER_BYTES = { 4: 20, 6: 40 } as const;
const LENGTHS = [0, 1, 5, 63, 64, 576, 1399, 9000];

/** The number of each packet is one more than its place. */
const numberOf = (i: number): bigint => BigInt(i + 1);

function same(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assert.deepEqual(Buffer.from(actual).toString('hex'), Buffer.from(expected).toString('hex'), what);
}

for (const outer of FAMILIES)
  for (const inner of FAMILIES)
    test(`RFC 4303 §3.1.2: IPv${inner} in IPv${outer} without UDP, every suite, with and without ESN, agrees with the models`, {
      skip,
    }, () => {
      for (const suite of SUITES)
        for (const esn of [false, true]) {
          const sa = saOf(suite, { ...endsOf(outer), esn, udpEncapsulation: false, replayWindow: 0 });
          const packets = LENGTHS.map((length) => (inner === 4 ? ipv4(length) : ipv6(length)));
          const start = esn ? 5n << 32n : 0n;
          codecOf(sa, 'out', start)
            .seal(packets)
            .forEach((result, i) => {
              const packet = passed(result);
              const esp = packet.subarray(HEADER_BYTES[outer]);
              same(packet, tunnelHeader(sa, 50, 0, esp), `${suite}: outer header`);
              const opened = modelOpen(sa, esp, esn ? 5 : 0);
              assert.equal(opened.sequenceLow, i + 1);
              assert.equal(opened.nextHeader, inner === 4 ? 4 : 41);
              same(opened.payload, packets[i], `${suite}: inner packet`);
            });
          const made = packets.map((packet, i) =>
            tunnelHeader(flip(sa), 50, 0, modelSeal(sa, start + numberOf(i), packet)),
          );
          codecOf(sa, 'in', start)
            .open(made)
            .forEach((result, i) => {
              same(passed(result), packets[i], `${suite}: opened`);
            });
        }
    });

/** A packet between the ends, from ours to theirs or the other way. */
function hostPacket(family: Family, bytes: number, protocol: 6 | 17 | 58, incoming = false): Uint8Array {
  const [ours, theirs] = ENDS[family];
  const [source, destination] = incoming ? [theirs, ours] : [ours, theirs];
  const fields = { source, destination, protocol, tos: 0xb9, ttl: 61, id: 7, fragment: 0 };
  return ipPacket(fields, upper(protocol, source, destination, bytes));
}

for (const family of FAMILIES)
  test(`RFC 4303 §3.1.1: transport mode in IPv${family}, every suite, with and without ESN, agrees with the models`, {
    skip,
  }, () => {
    for (const suite of SUITES)
      for (const esn of [false, true]) {
        const sa = saOf(suite, {
          ...endsOf(family),
          esn,
          mode: 'transport',
          udpEncapsulation: false,
          replayWindow: 0,
        });
        const start = esn ? 5n << 32n : 0n;
        const packets = LENGTHS.map((length) => hostPacket(family, length, 17));
        codecOf(sa, 'out', start)
          .seal(packets)
          .forEach((result, i) => {
            const packet = passed(result);
            const headerBytes = HEADER_BYTES[family];
            const opened = modelOpen(sa, packet.subarray(headerBytes), esn ? 5 : 0);
            assert.equal(opened.nextHeader, 17);
            same(opened.payload, packets[i].subarray(headerBytes), `${suite}: payload`);
            const expected = ipPacket(
              {
                source: ENDS[family][0],
                destination: ENDS[family][1],
                protocol: 50,
                tos: 0xb9,
                ttl: 61,
                id: 7,
                fragment: 0,
              },
              packet.subarray(headerBytes),
            );
            same(packet, expected, `${suite}: the packet's own header, changed`);
          });
        const coming = LENGTHS.map((length) => hostPacket(family, length, 6, true));
        const made = coming.map((packet, i) => {
          const headerBytes = HEADER_BYTES[family];
          const esp = modelSeal(sa, start + numberOf(i), packet.subarray(headerBytes), { nextHeader: 6 });
          const [ours, theirs] = ENDS[family];
          const fields = {
            source: theirs,
            destination: ours,
            protocol: 50,
            tos: 0xb9,
            ttl: 61,
            id: 7,
            fragment: 0,
          };
          return ipPacket(fields, esp);
        });
        codecOf(sa, 'in', start)
          .open(made)
          .forEach((result, i) => {
            same(passed(result), coming[i], `${suite}: opened`);
          });
      }
  });

for (const family of FAMILIES)
  test(`RFC 3948 §3.1.2: transport mode in UDP over IPv${family}: a header is made, and checksums are right behind a NAT`, {
    skip,
  }, () => {
    for (const suite of SUITES) {
      const sa = saOf(suite, { ...endsOf(family), mode: 'transport', replayWindow: 0 });
      const headerBytes = HEADER_BYTES[family];
      const [ours, theirs] = ENDS[family];
      const packets = LENGTHS.map((length) => hostPacket(family, length, 17));
      const sender = codecOf(sa, 'out');
      sender.seal(packets).forEach((result, i) => {
        const opened = modelOpen(sa, passed(result));
        assert.equal(opened.nextHeader, 17);
        same(opened.payload, packets[i].subarray(headerBytes), `${suite}: the payload alone`);
      });
      assert.equal(sender.counters().tos, 0xb9, 'the socket is told of DSCP and ECN');
      // The peer thinks that it has another address.
      const [behindNat] = family === 4 ? ['10.9.8.7'] : ['fd00::7'];
      const protocols = [6, 17, ...(family === 6 ? ([58] as const) : [])] as const;
      for (const protocol of protocols) {
        const segments = LENGTHS.map((length) => upper(protocol, behindNat, ours, length));
        const made = segments.map((segment, i) =>
          modelSeal(sa, numberOf(i), segment, { nextHeader: protocol }),
        );
        codecOf(sa, 'in')
          .open(made, 0x2a)
          .forEach((result, i) => {
            const packet = passed(result);
            const body = packet.subarray(headerBytes);
            same(
              packet,
              ipPacket({ source: theirs, destination: ours, protocol, tos: 0x2a }, body),
              'header',
            );
            assert.equal(upperSum(protocol, theirs, ours, body), 0, `${suite}: checksum of ${protocol}`);
            const place = { 6: 16, 17: 6, 58: 2 }[protocol];
            for (const bytes of [body, segments[i]]) bytes.fill(0, place, place + 2);
            same(body, segments[i], `${suite}: all but the checksum as it was`);
          });
      }
    }
  });

test('RFC 3948 §3.1.2: UDP without a checksum stays so in IPv4, and destination options are stepped over', {
  skip,
}, () => {
  const sa = saOf('aes128gcm16', { mode: 'transport', replayWindow: 0 });
  const [ours, theirs] = ENDS[4];
  const silent = upper(17, theirs, ours, 20);
  silent.fill(0, 6, 8);
  const [result] = codecOf(sa, 'in').open([modelSeal(sa, 1n, silent, { nextHeader: 17 })]);
  same(passed(result).subarray(20), silent, 'the datagram');
  const six = saOf('aes128gcm16', { ...endsOf(6), mode: 'transport', replayWindow: 0 });
  const options = Uint8Array.of(6, 0, 1, 4, 0, 0, 0, 0);
  const [source, destination] = [ENDS[6][1], ENDS[6][0]];
  const payload = concat(options, upper(6, 'fd00::9', destination, 33));
  const [seen] = codecOf(six, 'in').open([modelSeal(six, 1n, payload, { nextHeader: 60 })]);
  assert.equal(upperSum(6, source, destination, passed(seen).subarray(48)), 0);
});

test('RFC 4303 §3.1.1: what stays in front: options, hop-by-hop, routing; destination options go inside', {
  skip,
}, () => {
  const [ours, theirs] = ENDS[4];
  const four = saOf('aes256gcm16', { mode: 'transport', udpEncapsulation: false, replayWindow: 0 });
  const alert = Uint8Array.of(0x94, 4, 0, 0);
  const body = upper(17, ours, theirs, 9);
  const packet = ipPacket({ source: ours, destination: theirs, protocol: 17, options: alert }, body);
  const sealed = passed(codecOf(four, 'out').seal([packet])[0]);
  assert.equal(sealed[0], 0x46);
  assert.equal(sealed[9], 50);
  assert.equal(checksum(sealed.subarray(0, 24)), 0);
  same(modelOpen(four, sealed.subarray(24)).payload, body, 'behind the options');
  const back = passed(codecOf(flip(four), 'in').open([sealed])[0]);
  same(back, packet, 'and back');

  const [a, b] = ENDS[6];
  const six = saOf('aes256gcm16', {
    ...endsOf(6),
    mode: 'transport',
    udpEncapsulation: false,
    replayWindow: 0,
  });
  const options = (next: number): Uint8Array => Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
  const routing = (next: number): Uint8Array =>
    concat(Uint8Array.of(next, 2, 0, 0, 0, 0, 0, 0), randomBytes(16));
  const fragment = (next: number): Uint8Array => Uint8Array.of(next, 0, 0, 0, 1, 2, 3, 4);
  const tcp = upper(6, a, b, 11);
  const cases: readonly (readonly [string, number, Uint8Array, Uint8Array, number])[] = [
    ['hop-by-hop', 0, options(6), tcp, 6],
    ['destination options alone', 60, new Uint8Array(), concat(options(6), tcp), 60],
    ['hop-by-hop and destination options', 0, options(60), concat(options(6), tcp), 60],
    ['routing with options before it', 60, concat(options(43), routing(60)), concat(options(6), tcp), 60],
    ['all', 0, concat(options(60), options(43), routing(44), fragment(6)), tcp, 6],
  ];
  for (const [name, first, front, inside, next] of cases) {
    const whole = ipPacket(
      { source: a, destination: b, protocol: 6, extension: first, options: front },
      inside,
    );
    const result = passed(codecOf(six, 'out').seal([whole])[0]);
    const opened = modelOpen(six, result.subarray(40 + front.length));
    assert.equal(opened.nextHeader, next, name);
    same(opened.payload, inside, name);
    const received = codecOf(flip(six), 'in').open([result])[0];
    same(passed(received), whole, `${name}: and back`);
  }
});

test('RFC 4303 §3.3.4: transport mode takes no fragments, no foreign addresses, and nothing too long', {
  skip,
}, () => {
  for (const udpEncapsulation of [false, true]) {
    const sa = saOf('aes128gcm16', { mode: 'transport', udpEncapsulation });
    const [source, destination] = ENDS[4];
    const fields = { source, destination, protocol: 17 };
    const body = upper(17, source, destination, 100);
    const sender = codecOf(sa, 'out');
    const results = sender.seal([
      ipPacket({ ...fields, fragment: 0x2000 }, body),
      ipPacket({ ...fields, fragment: 0x0005 }, body),
      ipPacket({ ...fields, source: '192.0.2.3' }, body),
      ipPacket({ ...fields, destination: '192.0.2.3' }, body),
      hostPacket(6, 5, 17),
      ipPacket(fields, new Uint8Array(65_515)),
    ]);
    assert.deepEqual(results, ['malformed', 'malformed', 'selector', 'selector', 'selector', 'too-big']);
    assert.equal(sender.counters().sequence, 0, 'no number was used');
  }
  const tunnel = saOf('aes128gcm16', { udpEncapsulation: false });
  assert.deepEqual(codecOf(tunnel, 'out').seal([ipv4(65_515)]), ['too-big']);
});

test('RFC 4301 §5.2: selectors hold for transport mode as for tunnel mode', { skip }, () => {
  for (const udpEncapsulation of [false, true]) {
    const sa = saOf('aes128gcm16', {
      mode: 'transport',
      udpEncapsulation,
      replayWindow: 0,
      localTs: [selector('192.0.2.1[udp]')],
      remoteTs: [selector('192.0.2.2')],
    });
    const send = (protocol: 6 | 17): string => {
      const [ours, theirs] = ENDS[4];
      const esp = modelSeal(sa, 1n, upper(protocol, theirs, ours, 10), { nextHeader: protocol });
      const packet = udpEncapsulation ? esp : tunnelHeader(flip(sa), 50, 0, esp);
      const [result] = codecOf(sa, 'in').open([packet]);
      return typeof result === 'string' ? result : 'passed';
    };
    assert.deepEqual([send(17), send(6)], ['passed', 'selector']);
  }
});

test('packets that come joined from UDP_GRO keep their bytes when headers grow in front of them', {
  skip,
}, () => {
  const random = generator(11);
  for (const suite of ['aes128gcm16', 'aes256-sha512'])
    for (const family of FAMILIES) {
      const sa = saOf(suite, { ...endsOf(family), mode: 'transport', replayWindow: 64 });
      const bodies = Array.from({ length: 64 }, () => new Uint8Array(randomBytes(random(900))));
      const made = bodies.map((body, i) => modelSeal(sa, numberOf(i), body, { nextHeader: 253 }));
      const results = codecOf(sa, 'in').open(made);
      results.forEach((result, i) => {
        same(passed(result).subarray(HEADER_BYTES[family]), bodies[i], `packet ${i}`);
      });
    }
});

test('RFC 4303 §2.7: inner packets are padded up to tfcBytes and come out as they were', { skip }, () => {
  for (const udpEncapsulation of [false, true])
    for (const suite of ['aes128gcm16', 'aes128-sha256'])
      for (const tfcBytes of [100, 1400, 65_535]) {
        const sa = saOf(suite, { udpEncapsulation, tfcBytes, replayWindow: 0 });
        const packets = [ipv4(0), ipv4(57), ipv6(300), ipv4(1379)];
        const sealed = codecOf(sa, 'out').seal(packets);
        const lengths = sealed.map((result) => passed(result).length);
        if (tfcBytes >= 1400) assert.equal(new Set(lengths).size, 1, 'all have one length');
        sealed.forEach((result, i) => {
          const esp = passed(result).subarray(udpEncapsulation ? 0 : 20);
          const { payload } = modelOpen(sa, esp);
          if (tfcBytes < 65_535) assert.equal(payload.length, Math.max(tfcBytes, packets[i].length));
          else assert.ok(payload.length > 65_400);
          assert.ok(payload.subarray(packets[i].length).every((byte) => byte === 0));
        });
        codecOf(flip(sa), 'in')
          .open(sealed.map(passed))
          .forEach((result, i) => {
            same(passed(result), packets[i], 'cut off again');
          });
      }
});
