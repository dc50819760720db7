// The engine's sockets on real paths: hosts a and b with a router between them whose far link is narrower, all in network
// namespaces. ESP and AH past UDP, outer fragments, what routers say of path MTUs, DSCP and ECN, bypass, answers into a TUN device.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { parseAddress } from '../../lib/net/address.ts';
import { Lab, labMissing } from '../engine/lab.ts';
import { buildProbe, Probe } from './probe.ts';

const EMSGSIZE = '90';
const A = { 4: '192.0.2.1', 6: '2001:db8:1::1' } as const;
const B = { 4: '198.51.100.2', 6: '2001:db8:2::2' } as const;
/** Of the router's far link. */
const NARROW = 1300;
const FAMILIES = [4, 6] as const;

const skip =
  labMissing('ping') ||
  (spawnSync('g++', ['--version']).status === 0 ? false : 'needs g++: apt-get install g++');

/** A whole packet of a to b; the checksum is the kernel's to make (IPv4). */
function packetOf(
  family: 4 | 6,
  protocol: number,
  payload: Uint8Array,
  ip: Partial<IpFields> = {},
): Uint8Array {
  const { id = 1, place = 0x4000, tos = 0, hops = 64, flow = 0, source = A[family] } = ip;
  const addresses = concat(addressBytes(source), addressBytes(B[family]));
  if (family === 4) {
    const header = new DataView(new ArrayBuffer(12));
    header.setUint16(0, (0x45 << 8) | tos);
    header.setUint16(2, 20 + payload.length);
    header.setUint16(4, id);
    header.setUint16(6, place);
    header.setUint16(8, (hops << 8) | protocol);
    return concat(new Uint8Array(header.buffer), addresses, payload);
  }
  const header = new DataView(new ArrayBuffer(8));
  header.setUint32(0, 0x60000000 + tos * 0x100000 + flow);
  header.setUint16(4, payload.length);
  header.setUint16(6, (protocol << 8) | hops);
  return concat(new Uint8Array(header.buffer), addresses, payload);
}

interface IpFields {
  readonly id: number;
  /** DF, MF and fragment offset. */
  readonly place: number;
  readonly tos: number;
  readonly hops: number;
  readonly flow: number;
  readonly source: string;
}

function addressBytes(text: string): Uint8Array {
  const bytes = parseAddress(text);
  assert.ok(bytes !== undefined);
  return bytes;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const counting = (lengthBytes: number): Uint8Array => Uint8Array.from({ length: lengthBytes }, (_, i) => i);
/** Without what changes on the way: hops and IPv4's checksum. */
function still(packet: string): string {
  const bytes = Buffer.from(packet, 'hex');
  if (bytes[0] >> 4 === 4) {
    bytes[8] = 0;
    bytes.fill(0, 10, 12);
  } else {
    bytes[7] = 0;
  }
  return bytes.toString('hex');
}

describe('a path with a narrow link', { skip }, () => {
  let lab: Lab;
  let program: { readonly folder: string; readonly path: string };
  let names: { readonly a: string; readonly r: string; readonly b: string };
  let a: Probe;
  let b: Probe;

  before(() => {
    program = buildProbe();
    lab = new Lab();
    names = { a: lab.namespace('pa'), r: lab.namespace('pr'), b: lab.namespace('pb') };
    for (const [host, device, near, far, hostAddresses, routerAddresses] of [
      ['a', 'toA', 1500, 1500, [`${A[4]}/24`, `${A[6]}/64`], ['192.0.2.254/24', '2001:db8:1::ff/64']],
      ['b', 'toB', NARROW, NARROW, [`${B[4]}/24`, `${B[6]}/64`], ['198.51.100.254/24', '2001:db8:2::ff/64']],
    ] as const) {
      lab.ip(names.r, 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'veth0', 'netns', names[host]);
      for (const address of hostAddresses) lab.address(names[host], address, 'veth0');
      for (const address of routerAddresses) lab.address(names.r, address, device);
      lab.ip(names[host], 'link', 'set', 'veth0', 'mtu', String(near), 'up');
      lab.ip(names.r, 'link', 'set', device, 'mtu', String(far), 'up');
      for (const address of routerAddresses)
        lab.ip(names[host], 'route', 'add', 'default', 'via', address.split('/')[0]);
    }
    for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) sysctl(names.r, key, 1);
    for (const key of ['net.ipv4.icmp_ratelimit', 'net.ipv6.icmp.ratelimit']) sysctl(names.r, key, 0);
    a = new Probe(program.path, names.a);
    b = new Probe(program.path, names.b);
  });

  after(async () => {
    await a?.close();
    await b?.close();
    lab?.remove();
    if (program !== undefined) rmSync(program.folder, { recursive: true });
  });

  function sysctl(name: string, key: string, value: number): void {
    lab.exec(name, 'sh', '-c', `echo ${value} > /proc/sys/${key.replaceAll('.', '/')}`);
  }

  /** Learned path MTUs of before. */
  function forget(): void {
    lab.ip(names.a, 'route', 'flush', 'cache');
    lab.ip(names.a, '-6', 'route', 'flush', 'cache');
  }

  async function open(probe: Probe, ...words: readonly (string | number)[]): Promise<void> {
    assert.equal(await probe.ask('open', ...words), 'ok');
  }

  for (const family of FAMILIES)
    for (const protocol of [50, 51])
      test(`RFC 4303 §2: IP protocol ${protocol} over IPv${family} arrives as one whole packet each, TOS and all`, async () => {
        await open(a, 'raw', A[family], 0, protocol);
        await open(b, 'raw', B[family], 0, protocol);
        const packets = [8, 100, 1, 1200].map((length, i) =>
          packetOf(family, protocol, counting(length), { id: i + 1, tos: 0xb8 + i, flow: 0xabcde }),
        );
        assert.equal(await a.ask('send', ...packets.map(hex)), '0 0 0 0');
        const came = (await b.ask('receive', 4)).split(' ');
        assert.deepEqual(
          came.map(still),
          packets.map((packet) => still(hex(packet))),
        );
        assert.equal(Buffer.from(came[0], 'hex')[family === 4 ? 8 : 7], 63);
      });

  test('RFC 4302 §3.3.3.1: IPv6 extension headers before AH come out where they were', async () => {
    await open(a, 'raw', A[6], 0, 51);
    await open(b, 'raw', B[6], 0, 51);
    const hopByHop = Uint8Array.of(60, 0, 5, 2, 0, 0, 1, 0);
    // Options of a type that who does not know it skips.
    const destination = Uint8Array.of(43, 1, 0x1e, 12, ...counting(12));
    const routing = Uint8Array.of(60, 2, 253, 0, ...counting(20));
    const second = Uint8Array.of(51, 0, 1, 4, 0, 0, 0, 0);
    const payload = concat(hopByHop, destination, routing, second, counting(60));
    const packet = packetOf(6, 0, payload, { flow: 0x12345, tos: 0x2e });
    assert.equal(await a.ask('send', hex(packet)), '0');
    assert.equal(still(await b.ask('receive', 1)), still(hex(packet)));
    // More of them than there is room for is told, not cut.
    const much = Uint8Array.of(51, 30, 0x1e, 244, ...new Uint8Array(244));
    assert.equal(await a.ask('send', hex(packetOf(6, 60, concat(much, counting(60))))), '0');
    assert.equal(await b.ask('receive', 1), 'error');
  });

  test('RFC 4303 §3.4.1: an ESP packet that came in fragments is put together by the kernel, in IPv4 and IPv6', async () => {
    const payload = counting(3000);
    const parts = [payload.subarray(0, 1200), payload.subarray(1200, 2400), payload.subarray(2400)];
    for (const family of FAMILIES) {
      await open(a, 'bypass', A[family], 0);
      await open(b, 'raw', B[family], 0, 50);
      const fragments = parts.map((part, i) => {
        const more = i < 2 ? 1 : 0;
        if (family === 4) return packetOf(4, 50, part, { id: 77, place: (more << 13) | (i * 150) });
        const head = Uint8Array.of(50, 0, (i * 1200) >> 8, ((i * 1200) & 0xf8) | more, 0, 0, 0, 77);
        return packetOf(6, 44, concat(head, part));
      });
      // Out of order, too.
      assert.equal(await a.ask('send', ...[2, 0, 1].map((i) => hex(fragments[i]))), '0 0 0');
      const came = await b.ask('receive', 1);
      const whole = hex(packetOf(family, 50, payload, { id: 77, place: 0 }));
      assert.equal(still(came), still(whole));
    }
  });

  test('fragments that never become whole are bounded by the kernel, and whole packets pass meanwhile', async () => {
    await open(a, 'bypass', A[4], 0);
    await open(b, 'raw', B[4], 0, 50);
    const bound = 256 << 10;
    sysctl(names.b, 'net.ipv4.ipfrag_low_thresh', bound >> 1);
    sysctl(names.b, 'net.ipv4.ipfrag_high_thresh', bound);
    for (let round = 0; round < 40; round++) {
      const batch = Array.from({ length: 50 }, (_, i) =>
        hex(packetOf(4, 50, counting(1200), { id: 1000 + round * 50 + i, place: 0x2000 })),
      );
      await a.ask('send', ...batch);
    }
    const frag = /FRAG: inuse (\d+) memory (\d+)/.exec(lab.exec(names.b, 'cat', '/proc/net/sockstat'));
    assert.ok(frag !== null && Number(frag[1]) > 0, 'no fragments are waiting');
    assert.ok(Number(frag[2]) <= bound + 65536, frag[0]);
    assert.equal(await a.ask('send', hex(packetOf(4, 50, counting(500)))), '0');
    assert.equal((await b.ask('receive', 1)).length, 2 * 520);
    sysctl(names.b, 'net.ipv4.ipfrag_high_thresh', 4 << 20);
    sysctl(names.b, 'net.ipv4.ipfrag_low_thresh', 3 << 20);
  });

  for (const family of FAMILIES)
    test(`RFC ${family === 4 ? '1191 §3' : '8201 §4'}: a raw socket hears of the narrow link, and the kernel knows it then`, async () => {
      forget();
      await open(a, 'raw', A[family], 0, 50);
      await open(b, 'raw', B[family], 0, 50);
      assert.equal(await a.ask('mtu', B[family], 0), '1500');
      const head = family === 4 ? 20 : 40;
      const packet = (lengthBytes: number) => hex(packetOf(family, 50, counting(lengthBytes - head)));
      assert.equal(await a.ask('send', packet(NARROW + 1)), '0');
      assert.equal(await a.ask('errors'), `${B[family]}=${NARROW}`);
      assert.equal(await a.ask('mtu', B[family], 0), String(NARROW));
      assert.equal(await a.ask('send', packet(NARROW)), '0');
      assert.equal((await b.ask('receive', 1)).length, 2 * NARROW);
      // Larger than the own link: refused at once, and the next one goes.
      const answers = await a.ask('send', packet(1501), packet(NARROW));
      assert.equal(answers, `${EMSGSIZE} 0`);
      assert.equal((await b.ask('receive', 1)).length, 2 * NARROW);
    });

  for (const family of FAMILIES)
    for (const offloads of [1, 0])
      test(`RFC ${family === 4 ? '1191 §3' : '8201 §4'}: a UDP socket hears of the narrow link, offloads ${offloads}`, async () => {
        forget();
        await open(a, 'udp', A[family], 0, 4500, offloads, 1);
        await open(b, 'udp', B[family], 0, 4500, offloads, 1);
        const fits = NARROW - (family === 4 ? 28 : 48);
        const send = (lengthBytes: number, count: number, mayFragment = 0) =>
          a.ask('datagrams', B[family], 4500, mayFragment, ...Array(count).fill(`${lengthBytes}/0`));
        // The first ones leave; the router says why they do not arrive.
        await send(fits + 1, 4);
        const heard = await a.ask('errors');
        assert.match(heard, new RegExp(`^(${B[family]}=${NARROW} ?)+$`));
        assert.equal(await a.ask('mtu', B[family], 0), String(NARROW));
        const refused = await send(fits + 1, 4);
        assert.match(refused, new RegExp(`^(${EMSGSIZE} ){4}`));
        await a.ask('errors');
        // What fits goes, together where the kernel can.
        const went = await send(fits, 4);
        assert.match(went, /^(0 ){4}/);
        assert.equal(went.endsWith('together') || went.endsWith(String(fits + 1)), true, went);
        assert.equal(
          (await b.ask('receive', 4))
            .split(' ')
            .map((one) => one.split('/')[0])
            .join(),
          Array(4).fill(fits).join(),
        );
        // What may be fragmented (IKE) arrives whole, and nothing else afterwards.
        assert.match(await send(fits + 1, 2, 1), /^0 0 /);
        assert.equal(
          (await b.ask('receive', 2))
            .split(' ')
            .map((one) => one.split('/')[0])
            .join(),
          Array(2)
            .fill(fits + 1)
            .join(),
        );
        assert.match(await send(fits + 1, 1), new RegExp(`^${EMSGSIZE} `));
      });

  test("one peer's closed port costs no datagram to another", async () => {
    await open(a, 'udp', A[4], 0, 4500, 1, 1);
    await open(b, 'udp', B[4], 0, 4500, 1, 1);
    for (let i = 0; i < 20; i++) {
      await a.ask('datagrams', B[4], 4599, 0, '100/0');
      assert.match(await a.ask('datagrams', B[4], 4500, 0, '100/0', '100/0', '90/0'), /^0 0 0 together$/);
    }
    assert.equal((await b.ask('receive', 60)).split(' ').length, 60);
  });

  test('a forged message about a packet that we did not send changes nothing', async () => {
    forget();
    await open(a, 'udp', A[4], 0, 4500, 1, 1);
    await open(b, 'bypass', B[4], 0);
    const forged = (port: number) => {
      const quoted = packetOf(4, 17, Uint8Array.of(port >> 8, port & 255, 0x11, 0x94, 0, 108, 0, 0));
      const icmp = concat(Uint8Array.of(3, 4, 0, 0, 0, 0, 2, 88), quoted);
      let sum = 0;
      for (let i = 0; i < icmp.length; i += 2) sum += (icmp[i] << 8) | icmp[i + 1];
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      icmp.set([(~sum >> 8) & 255, ~sum & 255], 2);
      const packet = packetOf(4, 1, icmp, { source: B[4] });
      packet.set(addressBytes(A[4]), 16);
      return hex(packet);
    };
    // Of a port where no socket is.
    assert.equal(await b.ask('send', forged(4999)), '0');
    assert.equal(await b.ask('send', forged(4999)), '0');
    assert.equal(await a.ask('errors'), '');
    assert.equal(await a.ask('mtu', B[4], 0), '1500');
    // One that knows the ports is believed by the kernel, which is why the table has a floor.
    assert.equal(await b.ask('send', forged(4500)), '0');
    assert.equal(await a.ask('errors'), `${B[4]}=600`);
  });

  for (const family of FAMILIES)
    for (const offloads of [1, 0])
      test(`RFC 4301 §5.1.2: DSCP and ECN of each datagram arrive with it, IPv${family}, offloads ${offloads}`, async () => {
        await open(a, 'udp', A[family], 0, 4500, offloads, 1);
        await open(b, 'udp', B[family], 0, 4500, offloads, 1);
        const tos = [0, 0, 0xb8, 0xb8, 0xb9, 0xba, 0xbb, 0, 3, 255];
        const sent = tos.map((value) => `200/${value}`);
        assert.match(await a.ask('datagrams', B[family], 4500, 0, ...sent), /^(0 ){10}together$/);
        assert.deepEqual(
          (await b.ask('receive', 10)).split(' '),
          tos.map((value, i) => `200/${value}/${i}`),
        );
      });

  for (const family of FAMILIES)
    test(`RFC 4301 §4.4.1: a bypassed packet leaves as it is, whoever sent it, past the gateway's table, IPv${family}`, async () => {
      const mark = 4501;
      const ip = (...words: readonly string[]) => lab.ip(names.a, `-${family}`, ...words);
      ip('rule', 'add', 'not', 'fwmark', String(mark), 'lookup', '4501', 'priority', '100');
      ip('route', 'add', 'blackhole', 'default', 'table', '4501');
      try {
        await open(a, 'bypass', A[family], mark);
        await open(b, 'raw', B[family], 0, 253);
        // The source is of a host behind the gateway.
        const packet = packetOf(family, 253, counting(300), {
          source: family === 4 ? '192.0.2.77' : '2001:db8:1::77',
          tos: 0x10,
        });
        assert.equal(await a.ask('mtu', B[family], 0), '0');
        assert.notEqual(await a.ask('mtu', B[family], mark), '0');
        assert.equal(await a.ask('send', hex(packet)), '0');
        assert.equal(still(await b.ask('receive', 1)), still(hex(packet)));
        // Of the wrong family, and none at all.
        assert.equal(
          await a.ask('send', hex(packetOf(family === 4 ? 6 : 4, 253, counting(30))), '00'),
          '22 22',
        );
      } finally {
        ip('rule', 'del', 'priority', '100');
        ip('route', 'del', 'blackhole', 'default', 'table', '4501');
      }
    });

  test('without CAP_NET_RAW opening fails with a code and says what is missing', async () => {
    const poor = new Probe(program.path, names.a, [
      'setpriv',
      '--bounding-set',
      '-net_raw',
      '--inh-caps',
      '-net_raw',
    ]);
    try {
      assert.match(await poor.ask('open', 'raw', A[4], 0, 50), /^ERR_IKE_PRIVILEGE .*CAP_NET_RAW/);
      assert.match(await poor.ask('open', 'bypass', A[6], 0), /^ERR_IKE_PRIVILEGE .*CAP_NET_RAW/);
    } finally {
      await poor.close();
    }
  });

  test('RFC 1191 §4, RFC 4443 §3.2: hosts believe the answer that comes out of the TUN device, strict rp_filter or not', async () => {
    const lan = lab.namespace('pl');
    lab.ip(names.a, 'link', 'add', 'lan', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', lan);
    for (const [name, device, address] of [
      [names.a, 'lan', '10.1.0.1/24'],
      [names.a, 'lan', 'fd01::1/64'],
      [lan, 'veth0', '10.1.0.5/24'],
      [lan, 'veth0', 'fd01::5/64'],
    ] as const)
      lab.address(name, address, device);
    lab.ip(names.a, 'link', 'set', 'lan', 'up');
    lab.ip(lan, 'link', 'set', 'veth0', 'up');
    for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) sysctl(names.a, key, 1);
    for (const key of ['all', 'default', 'lan']) sysctl(names.a, `net.ipv4.conf.${key}.rp_filter`, 1);
    const device = new Probe(program.path, names.a);
    try {
      assert.equal(await device.ask('tun', 'ike0', 1400, 1290), 'ok');
      sysctl(names.a, 'net.ipv4.conf.ike0.rp_filter', 1);
      lab.ip(names.a, 'route', 'add', '10.2.0.0/16', 'dev', 'ike0', 'src', '10.1.0.1');
      lab.ip(names.a, 'route', 'add', 'fd02::/16', 'dev', 'ike0', 'src', 'fd01::1');
      lab.ip(lan, 'route', 'add', 'default', 'via', '10.1.0.1');
      lab.ip(lan, 'route', 'add', 'default', 'via', 'fd01::1');
      for (const name of [names.a, lan])
        for (const target of ['10.2.0.1', 'fd02::1']) {
          const ping = spawnSync(
            'ip',
            [
              'netns',
              'exec',
              name,
              'ping',
              '-n',
              '-M',
              'do',
              '-s',
              '1300',
              '-c',
              '2',
              '-i',
              '0.3',
              '-W',
              '1',
              target,
            ],
            { encoding: 'utf8' },
          );
          assert.match(ping.stdout + ping.stderr, /mtu[ =]+1290/, `${name} ${target}`);
          assert.match(lab.ip(name, 'route', 'get', target), /mtu 1290/, `${name} ${target}`);
        }
    } finally {
      await device.close();
    }
  });
});
