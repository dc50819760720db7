// Two hosts with engines protect what they themselves say to each other: transport mode by itself, in UDP and by AH, over both families,
// with the kernel's offloads. The routes to the peer lead into the TUN device, and reverse path filters must bear with that.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { DataPlaneStats, SaParameters } from '../../lib/ipsec/data-plane.ts';
import { saOf, selector } from './esp-model.ts';
import { Host, Lab, labMissing } from './lab.ts';
import { kernelCounter, transfer } from './transfer.ts';

const skip = labMissing('ping');
const TRANSFER_BYTES = 8 << 20;
/** A reverse path filter that wants the route back to lead through the device that a packet came from. */
const STRICT = 1;
const OUTER = {
  IPv4: ['192.0.2.1', '192.0.2.2'],
  IPv6: ['2001:db8::1', '2001:db8::2'],
} as const;
type Family = keyof typeof OUTER;
type Kind = 'ESP by itself' | 'ESP in UDP' | 'AH' | 'AH around ESP';

/** Each host's SAs, in the order in which they may be installed. */
function transportSas(kind: Kind, family: Family): readonly [SaParameters[], SaParameters[]] {
  const esp = [saOf('aes128gcm16'), saOf('aes128gcm16')];
  const integrity = algorithm('integ', 'sha256');
  const ah = esp.map(({ encryption: _, encryptionKey: __, ...rest }) => ({
    ...rest,
    protocol: 'ah' as const,
    integrity,
    integrityKey: crypto.getRandomValues(new Uint8Array(integrity.keyBytes)),
  }));
  const side = (self: 0 | 1): SaParameters[] => {
    const [local, remote] = [OUTER[family][self], OUTER[family][1 - self]];
    const common = {
      mode: 'transport',
      udpEncapsulation: kind === 'ESP in UDP',
      local: { address: local, port: 4500 },
      remote: { address: remote, port: 4500 },
      localTs: [selector(local)],
      remoteTs: [selector(remote)],
      replayWindow: 128,
    } as const;
    return (['out', 'in'] as const).flatMap((direction, i): SaParameters[] => {
      const sender = direction === 'out' ? self : 1 - self;
      const inner = { ...common, direction, id: 1 + i, spi: 0x1000 + sender, policyId: 1 };
      if (kind === 'AH') return [{ ...ah[sender], ...inner }];
      if (kind !== 'AH around ESP') return [{ ...esp[sender], ...inner }];
      return [
        { ...ah[sender], ...inner, id: 11 + i, spi: 0x2000 + sender, policyId: 0 },
        { ...esp[sender], ...inner, outerSaId: 11 + i },
      ];
    });
  };
  return [side(0), side(1)];
}

describe('transport mode between two engines', { skip }, () => {
  let lab: Lab;
  let names: [string, string];

  before(() => {
    lab = new Lab();
    names = [lab.namespace('a'), lab.namespace('b')];
    lab.join(names[0], ['192.0.2.1/24', '2001:db8::1/64'], names[1], ['192.0.2.2/24', '2001:db8::2/64']);
  });

  after(() => lab?.remove());

  async function engines(kind: Kind, family: Family, body: (hosts: readonly Host[]) => Promise<void>) {
    const hosts = names.map((name) => new Host(name));
    const sas = transportSas(kind, family);
    try {
      for (const [self, host] of hosts.entries()) {
        await host.call('open', { connections: {} });
        const { localTs, remoteTs } = sas[self][0];
        await host.call('addPolicy', { id: 1, kind: 'protect', priority: 10, localTs, remoteTs });
        for (const sa of sas[self]) await host.call('addSa', sa);
      }
      await body(hosts);
    } finally {
      for (const host of hosts) {
        await host.call('close').catch(() => undefined);
        await host.kill();
      }
    }
  }

  function ping(from: 0 | 1, family: Family, size: number): boolean {
    try {
      lab.exec(names[from], 'ping', '-n', '-c', '1', '-W', '1', '-s', String(size), OUTER[family][1 - from]);
      return true;
    } catch {
      return false;
    }
  }

  for (const family of ['IPv4', 'IPv6'] as const)
    for (const kind of ['ESP by itself', 'ESP in UDP', 'AH', 'AH around ESP'] as const)
      test(`RFC 4301 §4.1: ${kind} in transport mode over ${family}: pings, and TCP in segments of the kernel`, async () => {
        await engines(kind, family, async (hosts) => {
          for (const from of [0, 1] as const)
            for (const size of [0, 56, 1200]) assert.ok(ping(from, family, size), `${from}, ${size} bytes`);
          for (const from of [0, 1] as const)
            await transfer(lab, names[from], names[1 - from], OUTER[family][1 - from], TRANSFER_BYTES);
          for (const name of names) assert.equal(kernelCounter(lab, name, 'Tcp', 'InCsumErrors'), 0);
          for (const host of hosts) {
            const { drops, bytesIn, bytesOut } = (await host.call('stats')) as DataPlaneStats;
            assert.ok(
              bytesIn > TRANSFER_BYTES && bytesOut > TRANSFER_BYTES,
              `${bytesIn} in, ${bytesOut} out`,
            );
            for (const cause of ['malformed', 'integrity', 'replay', 'selector', 'outer-sa', 'unknown-spi'])
              assert.equal(drops[cause], 0, cause);
          }
        });
      });

  test('without CAP_NET_RAW the engine says so, carries ESP in UDP, and refuses all else with the reason', {
    skip: labMissing('setpriv'),
  }, async () => {
    const host = new Host(names[0], ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw']);
    try {
      await host.call('open', { connections: {} });
      assert.equal(await host.call('udpEncapsulationOnly'), true);
      const warning = host.events.find(({ event }) => event === 'engine-udp-only');
      assert.match(JSON.stringify(warning), /CAP_NET_RAW/);
      const [[wrapped]] = transportSas('ESP in UDP', 'IPv4');
      await host.call('addSa', wrapped);
      const [[bare]] = transportSas('ESP by itself', 'IPv4');
      await assert.rejects(host.call('addSa', { ...bare, id: 3 }), { code: 'ERR_IKE_UNSUPPORTED' });
      const [[ah]] = transportSas('AH', 'IPv4');
      await assert.rejects(host.call('addSa', { ...ah, id: 4 }), { code: 'ERR_IKE_ALGORITHM' });
    } finally {
      await host.call('close').catch(() => undefined);
      await host.kill();
    }
  });

  for (const kind of ['ESP by itself', 'ESP in UDP'] as const)
    test(`${kind} in transport mode passes every reverse path filter but a strict one on the outer device`, async () => {
      const filters = (device: string, value: number): void => {
        for (const name of names)
          lab.exec(name, 'sysctl', '-q', '-w', `net.ipv4.conf.${device}.rp_filter=${value}`);
      };
      await engines(kind, 'IPv4', async () => {
        // The larger of this and the device's own counts.
        filters('all', 0);
        for (const outer of [0, 1, 2])
          for (const tun of [0, 1, 2]) {
            filters('veth0', outer);
            filters('ike0', tun);
            assert.equal(ping(0, 'IPv4', 56), outer !== STRICT, `veth0 ${outer}, ike0 ${tun}`);
          }
        filters('veth0', 0);
      });
    });
});
