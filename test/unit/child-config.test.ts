// The rules of a child: modes, AH, limits by volume, padding, header rules, shunts; and what a data plane cannot carry.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigInput, parseConfig } from '../../lib/config/parse.ts';
import type { Connection } from '../../lib/config/types.ts';
import { uncarriedProposal } from '../../lib/data-planes.ts';
import { ConfigError } from '../../lib/errors.ts';
import type { SaSuite } from '../../lib/ipsec/data-plane.ts';

const HERE = '192.0.2.1';
const THERE = '192.0.2.2';

function config(child: object, connection: object = {}, remote: object = {}): ConfigInput {
  return {
    connections: {
      site: {
        local: { address: HERE },
        remote: { address: THERE, auth: { psk: 'a key' }, ...remote },
        ...connection,
        children: { net: child },
      },
    },
  } as ConfigInput;
}

const parse = (child: object, connection: object = {}): Connection =>
  parseConfig(config(child, connection)).connections['site'];

function mistake(input: ConfigInput): string {
  try {
    parseConfig(input);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(error.message.startsWith(`${error.path}: `), error.message);
    return error.message.replace('connections.site.children.net.', '');
  }
  assert.fail('the configuration was accepted');
}

test('a child without options is ESP in tunnel mode, without limits, padding or special headers', () => {
  const { net } = parse({}).children;
  assert.deepEqual([net.protocol, net.mode, net.start, net.replayWindow], ['esp', 'tunnel', 'none', 1024]);
  assert.deepEqual(
    net.proposals.map(({ text }) => text),
    ['aes256gcm16-aes128gcm16', 'aes256-aes128-sha256-sha384'],
  );
  assert.deepEqual([net.bytes, net.packets], Array(2).fill({ rekey: 0, jitter: 0, life: 0 }));
  assert.deepEqual([net.tfcPaddingBytes, net.header], [0, { copyDscp: 'out', ecn: true }]);
});

test('sizes are written as bytes or with a unit of 1,024 and its powers', () => {
  for (const [written, bytes] of [
    [1500, 1500],
    ['1500', 1500],
    ['64k', 65_536],
    ['500M', 524_288_000],
    ['4G', 4_294_967_296],
    ['1 t', 1_099_511_627_776],
  ] as const)
    assert.equal(parse({ rekeyBytes: written }).children['net'].bytes.rekey, bytes);
  for (const bad of ['4GB', '-1', '1.5G', '', 'G', -1, 0.5, '1025T', true, '99999999999999999'])
    assert.match(mistake(config({ rekeyBytes: bad })), /^rekeyBytes: .*expected a size up to 1024T/);
});

test('an end by volume follows a rekeying by a tenth, and its jitter is a tenth, unless they are given', () => {
  const volume = (child: object) => parse(child).children['net'];
  assert.deepEqual(volume({ rekeyBytes: 1000 }).bytes, { rekey: 1000, jitter: 100, life: 1100 });
  assert.deepEqual(volume({ rekeyPackets: 1 }).packets, { rekey: 1, jitter: 0, life: 2 });
  assert.deepEqual(volume({ lifePackets: 7 }).packets, { rekey: 0, jitter: 0, life: 7 });
  assert.deepEqual(volume({ rekeyBytes: '1M', lifeBytes: 0, randBytes: '1M' }).bytes, {
    rekey: 1_048_576,
    jitter: 1_048_576,
    life: 0,
  });
  assert.match(mistake(config({ rekeyBytes: 10, lifeBytes: 10 })), /^lifeBytes: 10 .*more than rekeyBytes/);
  assert.match(
    mistake(config({ rekeyPackets: 5, randPackets: 6 })),
    /^randPackets: 6 .*at most rekeyPackets/,
  );
});

test('AH takes proposals of integrity alone, in place of those of ESP and not inside UDP', () => {
  const { net } = parse({ ahProposals: ['sha256-ecp256', 'sha512-esn'] }).children;
  assert.equal(net.protocol, 'ah');
  assert.deepEqual(
    net.proposals.map(({ text }) => text),
    ['sha256-ecp256', 'sha512-esn'],
  );
  assert.match(mistake(config({ ahProposals: ['aes128gcm16'] })), /has aes128gcm16, but AH does not encrypt/);
  assert.match(mistake(config({ ahProposals: ['ecp256'] })), /has no integrity algorithm/);
  assert.match(mistake(config({ ahProposals: ['sha256-prfsha256'] })), /has prfsha256, which is for IKE/);
  assert.match(
    mistake(config({ ahProposals: ['sha256'], espProposals: ['aes128gcm16'] })),
    /^ahProposals: is not accepted beside espProposals.*not a bundle/,
  );
  assert.match(mistake(config({ ahProposals: ['sha256'] }, { encap: true })), /^ahProposals: .*encap/);
});

test('transport mode is between the outer addresses, which the selectors must hold', () => {
  assert.equal(parse({ mode: 'transport' }).children['net'].mode, 'transport');
  assert.equal(
    parse({ mode: 'transport', remoteTs: ['0.0.0.0/0[udp/1701]'] }).children['net'].remoteTs.length,
    1,
  );
  assert.match(
    mistake(config({ mode: 'transport', localTs: ['10.1.0.0/16'] })),
    /^localTs: does not hold local\.address \("192\.0\.2\.1"\)/,
  );
  assert.match(mistake(config({ mode: 'transport', remoteTs: [HERE] })), /^remoteTs: does not hold remote/);
  assert.match(
    mistake(config({ mode: 'beet' })),
    /^mode: "beet" is not accepted; expected "tunnel" or "transport"/,
  );
});

test('what works in tunnel mode alone is refused elsewhere, not ignored', () => {
  assert.match(
    mistake(config({ mode: 'transport', copyDscp: 'yes' })),
    /^copyDscp: is not accepted with transport/,
  );
  assert.match(
    mistake(config({ mode: 'transport', copyEcn: true })),
    /^copyEcn: is not accepted with transport/,
  );
  assert.match(
    mistake(config({ mode: 'transport', tfcPadding: 1 })),
    /^tfcPadding: is not accepted with transport/,
  );
  assert.match(
    mistake(config({ ahProposals: ['sha256'], tfcPadding: 9 })),
    /^tfcPadding: is not accepted with AH/,
  );
  const { net } = parse({ copyDscp: 'no', copyEcn: false, tfcPadding: 1400 }).children;
  assert.deepEqual([net.header, net.tfcPaddingBytes], [{ copyDscp: 'no', ecn: false }, 1400]);
});

test('a shunt has selectors, is installed unless it says none, and takes nothing that an SA would need', () => {
  const site = parse({ mode: 'pass', remoteTs: ['10.9.0.0/16'] });
  assert.deepEqual(Object.keys(site.children), []);
  const { net } = site.shunts;
  assert.deepEqual([net.mode, net.installed, net.localTs.length, net.remoteTs.length], ['pass', true, 0, 1]);
  assert.equal(parse({ mode: 'drop', start: 'none' }).shunts['net'].installed, false);
  assert.equal(parse({ mode: 'drop', start: 'start' }).shunts['net'].installed, true);
  for (const row of [
    { espProposals: ['aes128gcm16'] },
    { ahProposals: ['sha256'] },
    { rekeyTime: '1h' },
    { rekeyBytes: 0 },
    { replayWindow: 64 },
    { dpdAction: 'clear' },
    { copyDscp: 'out' },
  ])
    assert.match(
      mistake(config({ mode: 'drop', ...row })),
      new RegExp(`^${Object.keys(row)[0]}: is not accepted with mode "drop", which makes no SA`),
    );
});

test('a connection that has nothing but shunts needs no key, and no peer where selectors are given', () => {
  const shunts = (children: object, connection: object = {}): ConfigInput =>
    ({ connections: { site: { ...connection, children } } }) as ConfigInput;
  const lan = { mode: 'pass', localTs: ['10.1.0.0/16'], remoteTs: ['10.1.0.0/16'] };
  assert.equal(parseConfig(shunts({ lan })).connections['site'].shunts['lan'].mode, 'pass');
  assert.match(mistake(shunts({ lan, net: {} })), /remote\.auth\.psk: is missing/);
  assert.match(mistake(shunts({})), /remote\.auth\.psk: is missing/);
  assert.match(mistake(shunts({ net: { ...lan, remoteTs: [] } })), /^remoteTs: is empty; .*"%any"/);
  assert.match(mistake(shunts({ net: { ...lan, localTs: [] } })), /^localTs: is empty/);
  const local = { local: { address: HERE } };
  assert.equal(parseConfig(shunts({ net: { ...lan, localTs: [] } }, local)).connections['site'].name, 'site');
});

test('protocol and mode that a data plane does not have are refused before it starts', () => {
  const problem = (child: object, supports: (suite: SaSuite) => boolean, udpEncapsulationOnly = false) =>
    uncarriedProposal(parseConfig(config(child)), { name: 'engine', supports, udpEncapsulationOnly });
  const tunnelEsp = ({ protocol, mode }: SaSuite) => protocol === 'esp' && mode === 'tunnel';
  const transport = { mode: 'transport', espProposals: ['aes128gcm16'] };
  assert.equal(
    problem(transport, tunnelEsp)?.message,
    '"aes128gcm16": the engine data plane has no ESP in transport mode',
  );
  const ah = problem({ ahProposals: ['sha256'] }, tunnelEsp);
  assert.equal(ah?.path, 'connections.site.children.net.ahProposals');
  assert.equal(ah.message, '"sha256": the engine data plane has no AH in tunnel mode');
  // Transport mode may end as tunnel mode.
  const noTunnel = problem(transport, ({ mode }) => mode === 'transport');
  assert.match(noTunnel?.message ?? '', /no ESP in tunnel mode/);
  assert.match(problem({ ahProposals: ['sha256'] }, () => true, true)?.message ?? '', /inside UDP/);
  const dscp = uncarriedProposal(parseConfig(config({ copyDscp: 'yes' })), {
    name: 'portable',
    supports: () => true,
  });
  assert.match(dscp?.path ?? '', /\.copyDscp$/);
  assert.equal(
    problem({ copyDscp: 'yes' }, () => true),
    undefined,
  );
  const weak = problem({ ahProposals: ['md5'] }, ({ integrity }) => integrity?.name !== 'md5');
  assert.equal(weak?.message, '"md5": the engine data plane has no md5');
  assert.equal(
    problem(transport, () => true),
    undefined,
  );
});
