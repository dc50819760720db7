// XFRM's messages against those of iproute2 and of a real kernel (test/vectors/xfrm.json): what we send is what iproute2 sends, byte for
// byte, and what the kernel answers and tells is understood. Cut short or bent, it says nothing.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { fromHex, toHex } from '../../lib/bytes.ts';
import { loadAddon } from '../../lib/ipsec/engine/native.ts';
import type { KernelSelector, SaKey } from '../../lib/ipsec/kernel/kernel-api.ts';
import type { NativeXfrmPolicy, NativeXfrmReply, NativeXfrmSa } from '../../lib/ipsec/kernel/xfrm-native.ts';
import { parseAddress } from '../../lib/net/address.ts';

interface Capture {
  readonly name: string;
  readonly sent: readonly string[];
  readonly received: readonly string[];
}

const { messages } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/xfrm.json', import.meta.url), 'utf8'),
) as { readonly messages: readonly Capture[] };
const { xfrmRequest, xfrmReplies } = loadAddon();

const address = (text: string): Uint8Array => parseAddress(text) ?? assert.fail(text);
const KEY16 = fromHex('000102030405060708090a0b0c0d0e0f');
const KEY20 = new Uint8Array(20).fill(0xa5);
const KEY32 = new Uint8Array(32).fill(0x5a);
const GCM = { aead: { name: 'rfc4106(gcm(aes))', key: KEY20, icvBits: 128 } } as const;
const SHA1 = { name: 'hmac(sha1)', key: KEY20, icvBits: 96 };
const ENDS = { source: address('192.0.2.1'), destination: address('192.0.2.2') } as const;
const BACK = { source: ENDS.destination, destination: ENDS.source } as const;
const NO_LIMITS = {
  softBytes: 0,
  hardBytes: 0,
  softPackets: 0,
  hardPackets: 0,
  softSeconds: 0,
  hardSeconds: 0,
} as const;
const MARK = { value: 0x10, mask: 0xff };

const sa = (spi: number, more: Partial<NativeXfrmSa>): NativeXfrmSa => ({
  protocol: 'esp',
  direction: 'out',
  mode: 'tunnel',
  spi,
  reqid: 7,
  ...ENDS,
  esn: false,
  replayWindow: 0,
  limits: NO_LIMITS,
  copyDscp: 'out',
  ecn: true,
  tfcBytes: 0,
  hwOffload: 'no',
  ...more,
});

const prefixes = (
  source: string,
  destination: string,
  more: Partial<KernelSelector> = {},
): KernelSelector => {
  const [from, fromBits] = source.split('/');
  const [to, toBits] = destination.split('/');
  return {
    source: address(from),
    sourceBits: Number(fromBits),
    destination: address(to),
    destinationBits: Number(toBits),
    protocol: 0,
    sourcePort: 0,
    sourcePortMask: 0,
    destinationPort: 0,
    destinationPortMask: 0,
    ...more,
  };
};
const HOSTS = prefixes('192.0.2.1/32', '192.0.2.2/32');
const INNER = prefixes('10.1.0.0/16', '10.2.0.0/16');
const INWARDS = prefixes('10.2.0.0/16', '10.1.0.0/16');
const TUNNEL = { protocol: 'esp', mode: 'tunnel', ...ENDS, reqid: 7 } as const;
const TUNNEL_BACK = { protocol: 'esp', mode: 'tunnel', ...BACK, reqid: 7 } as const;
const policy = (more: Partial<NativeXfrmPolicy>): NativeXfrmPolicy => ({
  direction: 'out',
  selector: INNER,
  index: 0,
  action: 'allow',
  priority: 1000,
  templates: [TUNNEL],
  ...more,
});

const key = (spi: number, more: Partial<SaKey> = {}): SaKey => ({ protocol: 'esp', spi, ...ENDS, ...more });

const everything = {
  reqid: 12,
  replayWindow: 32,
  ecn: false,
  copyDscp: 'in',
  mark: MARK,
  setMark: { value: 0x20, mask: 0xf0 },
  ifId: 0x2a,
  limits: {
    softBytes: 1_000_000,
    hardBytes: 2_000_000,
    softPackets: 1000,
    hardPackets: 2000,
    softSeconds: 3000,
    hardSeconds: 3600,
  },
  ...GCM,
} as const;

const add = (wanted: NativeXfrmSa, update = false): Uint8Array =>
  xfrmRequest('addSa', wanted, update, false, false);

/** The same request as that of the capture with this name. */
const REQUESTS: Readonly<Record<string, () => Uint8Array>> = {
  'gcm tunnel': () => add(sa(0x1001, { replayWindow: 32, ...GCM })),
  'cbc tunnel': () =>
    add(
      sa(0x1002, {
        reqid: 8,
        integrity: { name: 'hmac(sha256)', key: KEY32, icvBits: 128 },
        cipher: { name: 'cbc(aes)', key: KEY16, icvBits: 0 },
      }),
    ),
  'chacha tunnel v6': () => {
    const keyAndSalt = Uint8Array.of(...KEY32, 1, 2, 3, 4);
    const aead = { name: 'rfc7539esp(chacha20,poly1305)', key: keyAndSalt, icvBits: 128 };
    const ends = { source: address('2001:db8::1'), destination: address('2001:db8::2') };
    return add(sa(0x1003, { reqid: 9, ...ends, aead }));
  },
  'ah transport': () =>
    add(
      sa(0x1004, {
        protocol: 'ah',
        mode: 'transport',
        reqid: 10,
        replayWindow: 32,
        integrity: SHA1,
        selector: HOSTS,
      }),
    ),
  'esn window': () => add(sa(0x1005, { reqid: 11, esn: true, replayWindow: 128, ...GCM })),
  'esn outbound': () => add(sa(0x1015, { reqid: 11, esn: true, ...GCM })),
  'udp encapsulation': () =>
    add(
      sa(0x1006, {
        ...BACK,
        replayWindow: 32,
        ...GCM,
        encapsulation: { type: 'udp', sourcePort: 4500, destinationPort: 34567 },
      }),
    ),
  'tcp encapsulation': () =>
    add(
      sa(0x1016, {
        ...BACK,
        ...GCM,
        encapsulation: { type: 'tcp', sourcePort: 4500, destinationPort: 34567 },
      }),
    ),
  beet: () => add(sa(0x1007, { mode: 'beet', selector: prefixes('10.1.0.1/32', '10.2.0.1/32'), ...GCM })),
  everything: () => add(sa(0x1008, everything)),
  offload: () => xfrmRequest('addSa', sa(0x1009, { mode: 'transport', ...GCM }), false, true, true),
  'null cipher': () =>
    add(
      sa(0x100a, {
        integrity: SHA1,
        cipher: { name: 'ecb(cipher_null)', key: new Uint8Array(), icvBits: 0 },
      }),
    ),
  'update state': () => add(sa(0x1001, { replayWindow: 32, ...GCM }), true),
  'get state': () => xfrmRequest('getSa', key(0x1001)),
  'get state with mark': () => xfrmRequest('getSa', key(0x1008, { mark: MARK })),
  'delete state': () => xfrmRequest('deleteSa', key(0x1001)),
  'update policy': () => xfrmRequest('setPolicy', policy({ priority: 999 })),
  'dump policies': () => xfrmRequest('dumpPolicies'),
  'delete policy': () => xfrmRequest('deletePolicy', { ...policy({}), mark: MARK, ifId: 0x2a }),
  'flush policies': () => xfrmRequest('flushPolicies'),
};

/** Policies are added by iproute2 with XFRM_MSG_NEWPOLICY, by us with XFRM_MSG_UPDPOLICY; the rest is the same. */
const POLICIES: Readonly<Record<string, NativeXfrmPolicy>> = {
  'policy out': policy({}),
  'policy in': policy({ direction: 'in', selector: INWARDS, templates: [TUNNEL_BACK] }),
  'policy forward': policy({ direction: 'fwd', selector: INWARDS, templates: [TUNNEL_BACK] }),
  'policy ports': policy({
    selector: { ...HOSTS, protocol: 6, sourcePort: 80, sourcePortMask: 0xffff },
    priority: 0,
    templates: [{ protocol: 'esp', mode: 'transport', reqid: 9 }],
  }),
  'policy block': policy({
    selector: prefixes('2001:db8:1::/48', '2001:db8:2::/48'),
    action: 'block',
    priority: 5,
    templates: [],
  }),
  'policy marks': policy({ mark: MARK, ifId: 0x2a, priority: 1001 }),
  'policy bundle': policy({
    selector: prefixes('10.3.0.0/16', '10.4.0.0/16'),
    priority: 7,
    templates: [TUNNEL, { protocol: 'ah', mode: 'transport', reqid: 8 }],
  }),
  'policy index': policy({
    selector: prefixes('10.5.0.0/16', '10.6.0.0/16'),
    index: 0x494b0009,
    action: 'block',
    priority: 0,
    templates: [],
  }),
};

function capture(name: string): Capture {
  return messages.find((message) => message.name === name) ?? assert.fail(`no capture ${name}`);
}

/** With the sequence number, which counts, set to zero, and `type` in place of its own. */
function comparable(hex: string, type?: number): string {
  const bytes = fromHex(hex);
  bytes.fill(0, 8, 12);
  if (type !== undefined) bytes[4] = type;
  return toHex(bytes);
}

const received = (name: string): readonly NativeXfrmReply[] =>
  capture(name).received.flatMap((hex) => xfrmReplies(fromHex(hex)));

for (const [name, request] of Object.entries(REQUESTS))
  test(`xfrm: "${name}" is asked as iproute2 asks it`, () => {
    const sent = capture(name).sent.at(-1) ?? '';
    assert.equal(toHex(request()), comparable(sent));
  });

for (const [name, wanted] of Object.entries(POLICIES))
  test(`xfrm: "${name}" is asked as iproute2 asks it`, () => {
    const UPDATE = 0x19;
    const ours = xfrmRequest('setPolicy', wanted);
    assert.equal(toHex(ours), comparable(capture(name).sent[0], UPDATE));
  });

test('xfrm: an interface is asked for as iproute2 asks for it', () => {
  // strace of `ip link add ipsec1 type xfrm dev lo if_id 42` with iproute2 6.1.0, the sequence number set to zero.
  const asked =
    '4c00000010000506000000000000000000000000000000000000000000000000' +
    '0b000300697073656331000020001200080001007866726d1400020008000200' +
    '2a0000000800010001000000';
  assert.equal(toHex(xfrmRequest('addInterface', 'ipsec1', 42, 1)), asked);
});

test('xfrm: the whole of what an SA is comes back from the kernel', () => {
  const [{ sa: found }] = received('get state with mark');
  assert.deepEqual(found, {
    protocol: 'esp',
    spi: 0x1008,
    ...ENDS,
    mark: MARK,
    mode: 'tunnel',
    reqid: 12,
    larval: false,
    offloaded: false,
    packets: 0,
    bytes: 0,
    sequence: 0,
    lastUsedSeconds: undefined,
    replayDrops: 0,
    integrityDrops: 0,
    limits: everything.limits,
  });
});

test('xfrm: a reserved SPI is an SA without algorithms', () => {
  const [{ sa: found }] = received('allocate SPI');
  assert.deepEqual([found?.spi, found?.larval, found?.reqid], [0xc0000000, true, 7]);
});

test('xfrm: dumps are all that is there, in several buffers', () => {
  const spis = received('dump states').flatMap((reply) => reply.sa?.spi ?? []);
  const asked = ['1', '2', '3', '4', '5', '6', '7', '8', 'a', '15'].map((end) =>
    Number(`0x10${end.padStart(2, '0')}`),
  );
  assert.deepEqual(
    [...spis].sort((a, b) => a - b),
    [...asked, 0xc0000000].sort((a, b) => a - b),
  );
  const policies = received('dump policies').flatMap((reply) => reply.policy ?? []);
  assert.equal(policies.length, Object.keys(POLICIES).length);
  for (const [name, wanted] of Object.entries(POLICIES)) {
    // The kernel has numbered it, and the first one was changed since.
    const as = (index: number) => ({
      ...wanted,
      index: wanted.index || index,
      priority: name === 'policy out' ? 999 : wanted.priority,
    });
    assert.ok(
      policies.some((found) => isDeepStrictEqual(found, as(found.index))),
      name,
    );
  }
});

test("xfrm: a refusal has errno and the kernel's words", () => {
  const verdict = (name: string): unknown[] => received(name).map(({ error, words }) => [error, words]);
  assert.deepEqual(verdict('gcm tunnel'), [[0, '']]);
  assert.deepEqual(verdict('exists already'), [[17, '']]);
  assert.deepEqual(verdict('get no state'), [[3, '']]);
  assert.deepEqual(verdict('unknown algorithm'), [[38, 'Requested AEAD algorithm not found']]);
});

test('xfrm: events say which SA, which packet, and from where', () => {
  const events = received('events').flatMap((reply) => reply.event ?? []);
  const acquire = events.find((event) => event.type === 'acquire');
  assert.deepEqual(acquire, {
    type: 'acquire',
    reqid: 77,
    packet: {
      ...HOSTS,
      protocol: 17,
      sourcePort: 7000,
      sourcePortMask: 0xffff,
      destinationPort: 9,
      destinationPortMask: 0xffff,
    },
  });
  const ends = events.flatMap((event) => (event.type === 'expire' ? [[event.sa.spi, event.hard]] : []));
  assert.deepEqual(ends, [
    [0x2001, false],
    [0x2001, true],
    [0x2002, false],
    [0x2002, true],
  ]);
  assert.deepEqual(events.at(-1), {
    type: 'mapping',
    sa: { protocol: 'esp', spi: 0x2003, source: ENDS.source, destination: address('127.0.0.1') },
    newSource: address('192.0.2.1'),
    newSourcePort: 7000,
  });
});

test('xfrm: an SA moves with all that the kernel has shown of it, and leaves numbers out', () => {
  const [shown] = capture('get state with mark').received;
  const path = { source: address('198.51.100.1'), destination: address('198.51.100.2') };
  const moved = xfrmReplies(xfrmRequest('moveSa', fromHex(shown), path));
  const [{ sa: before }] = xfrmReplies(fromHex(shown));
  assert.deepEqual(moved, [{ type: 0x10, sa: { ...before, ...path } }]);

  // An SA that has sent: outbound numbers, in the attribute of wide windows, are the second word of its head.
  const esn = fromHex(capture('get esn state').received[0]);
  const at = toHex(esn).indexOf('2c001700') / 2 + 4;
  new DataView(esn.buffer).setUint32(at + 4, 1000, true);
  const [sent] = xfrmReplies(xfrmRequest('moveSa', esn, path));
  assert.equal(sent.sa?.sequence, 1000 + 2 ** 20);
});

test('xfrm: an SA whose keys the kernel hides does not move', () => {
  const shown = fromHex(capture('get state').received[0].replaceAll('a5', '00'));
  assert.equal(xfrmReplies(shown)[0].sa?.spi, 0x1001);
  assert.equal(xfrmRequest('moveSa', shown, { source: BACK.source, destination: ENDS.source }).length, 0);
});

test('xfrm: a message that is cut short anywhere says nothing it does not hold', () => {
  for (const name of ['get state with mark', 'dump policies', 'events', 'unknown algorithm'])
    for (const hex of capture(name).received) {
      const whole = fromHex(hex);
      const full = xfrmReplies(whole);
      for (let length = 0; length < whole.length; length++) {
        const parts = xfrmReplies(whole.subarray(0, length));
        assert.deepEqual(parts, full.slice(0, parts.length));
      }
    }
});

test('xfrm: a structure that is shorter than its type, within a message, says nothing', () => {
  for (const name of ['get state with mark', 'get policy', 'events'])
    for (const hex of capture(name).received) {
      const whole = fromHex(hex);
      const [{ type }] = xfrmReplies(whole);
      for (let length = 16; length < Math.min(48, whole.length); length += 4) {
        const short = whole.slice(0, length);
        new DataView(short.buffer).setUint32(0, length, true);
        assert.deepEqual(xfrmReplies(short), [{ type }]);
      }
    }
});
