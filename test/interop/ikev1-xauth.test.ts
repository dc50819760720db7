// XAuth and Mode-Config against strongSwan 5.9, which is client or server, with a pre-shared key, certificates and hybrid authentication, in
// Main and Aggressive Mode: users come in or do not, the client gets an address, and packets pass with it.

import assert from 'node:assert/strict';
import type { ConfigInput } from '../../lib/index.ts';
import { endEntity, type Issued, Pki } from '../lib/pki.ts';
import type { Section } from './lab/conf.ts';
import { type Lab, scenario } from './lab/lab.ts';
import { inside } from './lab/network.ts';
import { idOf, ours, PSK, theirs } from './lab/settings.ts';
import { run } from './lab/shell.ts';
import { agree, type Pair, passes } from './lab/tunnel.ts';

const IKE = 'aes128-sha256-modp2048';
const ESP = 'aes128-sha256';
const USER = 'alice';
const PASSWORD = 'in wonderland';
const NEEDS = ['engine', 'charon', 'openssl'] as const;
/** Wins against the daemon's own, which wants to be asked for a name that is in no configuration. */
const AGGRESSIVE_WITH_PSK = 'i_dont_care_about_security_and_use_aggressive_mode_psk';

type Method = 'psk' | 'rsa' | 'hybrid';
interface Case {
  readonly method: Method;
  readonly aggressive?: boolean;
  /** Who is the client, and calls. */
  readonly client: 'we' | 'they';
  readonly password?: string;
  readonly address?: 'pull' | 'push';
  /** Only some networks go through the tunnel. */
  readonly split?: true;
}

for (const client of ['we', 'they'] as const) {
  for (const method of ['psk', 'rsa', 'hybrid'] as const)
    for (const aggressive of [false, true])
      scenario(
        `draft-beaulieu-ike-xauth §2: ${client} are a client with ${method}, ${aggressive ? 'Aggressive' : 'Main'} Mode`,
        { needs: NEEDS },
        async (lab) => {
          const pair = await users(lab, { method, aggressive, client });
          await callIn(pair, client);
          const views = await agree(pair);
          assert.equal(views.ours.xauthId, USER);
          await passes(lab);
          // A renewed phase 1 asks for the user again.
          if (client === 'we') await pair.gateway.rekey('site');
          await agree(pair);
          await passes(lab);
        },
      );
  scenario(
    `draft-beaulieu-ike-xauth §5: ${client} are a client with a wrong password`,
    { needs: NEEDS },
    async (lab) => {
      const pair = await users(lab, { method: 'psk', client, password: 'in the looking-glass' });
      await assert.rejects(callIn(pair, client));
      const report = await pair.gateway.event('failed');
      assert.match(report[0].code, /xauth|deleted-by-peer/);
      await pair.gateway.empty();
      assert.deepEqual(pair.gateway.events('child-up'), []);
    },
  );
  for (const address of ['pull', 'push'] as const)
    scenario(
      `draft-dukes-ike-mode-cfg §3: ${client} get an address by ${address}, and ping with it`,
      { needs: NEEDS },
      async (lab) => {
        const pair = await users(lab, { method: 'psk', client, address });
        await callIn(pair, client);
        const { ours: our } = await agree(pair);
        const vip = client === 'we' ? our.vips?.[0] : our.remoteVips?.[0];
        assert.equal(vip, '10.3.0.1');
        const [host, there] = client === 'we' ? [lab.left, lab.right] : [lab.right, lab.left];
        await run(inside(host, 'ping', '-n', '-c', '2', '-W', '2', '-I', '10.3.0.1', there.inner[0]));
        if (client === 'we') {
          assert.deepEqual(our.settings?.dns, ['10.2.0.53']);
          const { stdout } = await run(inside(host, 'ip', 'address'));
          assert.match(stdout, /10\.3\.0\.1\/32/);
        }
      },
    );
}

scenario('Unity: we get split networks from a pool of theirs', { needs: NEEDS }, async (lab) => {
  const pair = await users(lab, { method: 'psk', client: 'we', address: 'pull', split: true });
  await callIn(pair, 'we');
  const { ours: our } = await agree(pair);
  assert.deepEqual(our.settings?.splitInclude, ['10.2.0.0/16']);
});

scenario(
  'Unity: they get split networks from a pool of ours, and ask for everything',
  { needs: NEEDS },
  async (lab) => {
    const pair = await users(lab, { method: 'psk', client: 'they', address: 'pull', split: true });
    await callIn(pair, 'they');
    await run(inside(lab.right, 'ping', '-n', '-c', '2', '-W', '2', '-I', '10.3.0.1', lab.left.inner[0]));
  },
);

async function callIn({ gateway, charon }: Pair, client: 'we' | 'they'): Promise<void> {
  if (client === 'we') await gateway.initiate('site', 'net');
  else await charon.initiate('net');
  await gateway.event('child-up', ({ name }) => name === 'net');
}

/** Certificates of one CA on both sides; made when the first scenario runs, for openssl takes its time. */
let pki: { readonly pki: Pki; readonly root: Issued } | undefined;

/** Both ends; one is the client. */
async function users(lab: Lab, settings: Case): Promise<Pair> {
  const { method, client, address, split } = settings;
  if (pki === undefined) {
    const made = new Pki();
    pki = { pki: made, root: made.ca('/C=CH/O=Lab/CN=Root') };
  }
  const { root, pki: authority } = pki;
  const issue = (name: string): Issued =>
    authority.issue({
      subject: `/C=CH/O=Lab/CN=${name}`,
      issuer: root,
      key: 'rsa2048',
      extensions: endEntity(`DNS:${name}.example.com`),
    });
  const certificate = method === 'psk' ? undefined : issue('right');
  const charon = await lab.charon(
    lab.right,
    their(lab, settings),
    { delete_rekeyed: true, cisco_unity: true, [AGGRESSIVE_WITH_PSK]: true },
    certificate === undefined
      ? {}
      : {
          'x509/own.pem': certificate.certificate,
          'private/own.pem': certificate.key,
          'x509ca/root.pem': root.certificate,
        },
  );
  const base = ours(lab.left, lab.right, {
    top: {
      limits: { halfOpenTimeout: '5s' },
      ...(client === 'they' && address !== undefined
        ? {
            pools: {
              road: {
                addresses: ['10.3.0.0/24'],
                dns: ['10.1.0.53'],
                ...(split ? { splitInclude: ['10.1.0.0/16'] } : {}),
              },
            },
          }
        : {}),
    },
    connection: {
      version: 1,
      proposals: [IKE],
      aggressive: settings.aggressive ?? false,
      ...(address === undefined ? {} : { modeConfig: address }),
      ...(address === undefined ? {} : client === 'we' ? { vips: ['0.0.0.0'] } : { pools: ['road'] }),
    },
    child: {
      espProposals: [ESP],
      ...(address === undefined ? {} : client === 'we' ? { localTs: [] } : { remoteTs: [] }),
      ...(split && client === 'they' ? { localTs: ['0.0.0.0/0'] } : {}),
    },
  });
  const own = method === 'psk' ? undefined : issue('left');
  const signs = own && { certificate: own.certificate, privateKey: own.key };
  const user = { xauth: { username: USER, password: settings.password ?? PASSWORD } };
  const known = { xauth: { users: { [USER]: PASSWORD } } };
  const psk = method === 'psk' ? { psk: PSK } : {};
  const local =
    client === 'we' ? { ...psk, ...(method === 'rsa' ? signs : {}), ...user } : { ...psk, ...signs };
  const trusts = method === 'psk' ? {} : { ca: [root.certificate] };
  const remote =
    client === 'we' ? { ...psk, ...trusts } : { ...psk, ...(method === 'rsa' ? trusts : {}), ...known };
  const config: ConfigInput = {
    ...base,
    connections: {
      site: {
        ...base.connections?.['site'],
        local: { address: lab.left.outer, id: idOf(lab.left), auth: local },
        remote: { address: lab.right.seenAs, id: idOf(lab.right), auth: remote },
      },
    },
  };
  return { gateway: await lab.gateway(lab.left, config), charon };
}

/** The same for strongSwan. */
function their(lab: Lab, { method, aggressive = false, client, password, address, split }: Case): Section {
  const base = theirs(lab.right, lab.left, {
    connection: { version: 1, proposals: IKE, aggressive },
    child: { esp_proposals: ESP },
  });
  const site = (base['connections'] as Section)['site'] as Section;
  const net = (site['children'] as Section)['net'] as Section;
  const proof = (signs: boolean): Section =>
    method === 'psk' ? { auth: 'psk' } : signs ? { auth: 'pubkey', certs: 'own.pem' } : { auth: 'pubkey' };
  const xauth: Section = { auth: 'xauth', ...(client === 'they' ? { xauth_id: USER } : {}) };
  const ends: Section =
    client === 'they'
      ? method === 'hybrid'
        ? { local: { ...xauth, id: idOf(lab.right) }, remote: { ...proof(false), id: idOf(lab.left) } }
        : {
            'local-1': { ...proof(true), id: idOf(lab.right) },
            'local-2': xauth,
            remote: { ...proof(false), id: idOf(lab.left) },
          }
      : method === 'hybrid'
        ? { local: { ...proof(true), id: idOf(lab.right) }, remote: { ...xauth, id: idOf(lab.left) } }
        : {
            local: { ...proof(true), id: idOf(lab.right) },
            'remote-1': { ...proof(false), id: idOf(lab.left) },
            'remote-2': xauth,
          };
  const { local: _local, remote: _remote, ...rest } = site;
  const server = client === 'we' && address !== undefined;
  return {
    ...base,
    connections: {
      site: {
        ...rest,
        ...ends,
        ...(address === 'push' ? { pull: false } : {}),
        ...(address === undefined ? {} : server ? { pools: 'road' } : { vips: '0.0.0.0' }),
        children: {
          net: {
            ...net,
            ...(address === undefined ? {} : server ? { remote_ts: 'dynamic' } : { local_ts: 'dynamic' }),
          },
        },
      },
    },
    ...(server
      ? {
          pools: {
            road: {
              addrs: '10.3.0.0/24',
              dns: '10.2.0.53',
              ...(split ? { split_include: '10.2.0.0/16' } : {}),
            },
          },
        }
      : {}),
    secrets: {
      ...(base['secrets'] as Section),
      'xauth-user': { id: USER, secret: `"${client === 'they' ? (password ?? PASSWORD) : PASSWORD}"` },
    },
  };
}
