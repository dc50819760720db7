// Certificates and signatures against strongSwan, in both roles: every kind of key, every authentication method, chains, each side by
// its own means, and what must be refused on both sides with a report that says why.

import assert from 'node:assert/strict';
import type { ConfigInput, FailureReport } from '../../lib/index.ts';
import { CA_EXTENSIONS, endEntity, type Issued, type Order, Pki, type TestKey } from '../lib/pki.ts';
import { dissectDatagrams, valuesOf } from '../lib/tshark.ts';
import { datagrams } from './lab/capture.ts';
import type { Section } from './lab/conf.ts';
import { type Lab, scenario as labScenario, type ScenarioOptions } from './lab/lab.ts';
import { idOf, ours, PSK, theirs } from './lab/settings.ts';
import { agree, bringUp, type Pair, passes, SIDES, type Side } from './lab/tunnel.ts';

type Connection = NonNullable<ConfigInput['connections']>[string];
type LocalAuth = NonNullable<NonNullable<Connection['local']>['auth']>;
type RemoteAuth = NonNullable<NonNullable<Connection['remote']>['auth']>;

const CERT_NUMBER = '37';
const CERTREQ_NUMBER = '38';

/** Every scenario needs certificates. */
function scenario(name: string, options: ScenarioOptions, body: (lab: Lab) => Promise<void>): void {
  labScenario(name, { needs: ['engine', 'charon', 'openssl'], ...options }, body);
}

/** Made when the first scenario runs, for openssl takes its time. */
let made: { pki: Pki; root: Issued } | undefined;
function authority(): { pki: Pki; root: Issued } {
  if (made === undefined) {
    const pki = new Pki();
    made = { pki, root: pki.ca('/C=CH/O=Lab/CN=Root') };
  }
  return made;
}

/** A host's certificate, with its FQDN as alternative name. */
function issue(host: 'left' | 'right', order: Partial<Order> = {}): Issued {
  const { pki, root } = authority();
  return pki.issue({
    subject: `/C=CH/O=Lab/CN=${host}`,
    issuer: root,
    extensions: endEntity(`DNS:${host}.example.com`),
    ...order,
  });
}

interface Scene {
  readonly our: {
    readonly local: LocalAuth;
    readonly remote: RemoteAuth;
    readonly localId?: string | undefined;
    readonly remoteId?: string;
  };
  readonly their: {
    readonly own?: Issued;
    readonly others?: readonly Issued[];
    readonly trusted?: readonly Issued[];
    readonly local?: Section;
    readonly remote?: Section;
    readonly daemon?: Section;
  };
}

/** Each side with a certificate of the same CA, unless said otherwise. */
function scene(
  key: TestKey,
  change: { our?: Partial<Scene['our']>; their?: Partial<Scene['their']> } = {},
): Scene {
  const { root } = authority();
  const own = issue('left', { key });
  return {
    our: {
      local: { certificate: own.certificate, privateKey: own.key },
      remote: { ca: [root.certificate] },
      ...change.our,
    },
    their: { own: issue('right', { key }), trusted: [root], ...change.their },
  };
}

async function pair(lab: Lab, { our, their }: Scene): Promise<Pair> {
  const base = theirs(lab.right, lab.left);
  const site = (base['connections'] as Section)['site'] as Section;
  const files: Record<string, string> = {};
  if (their.own !== undefined) {
    files['x509/own.pem'] = their.own.certificate;
    files['private/own.pem'] = their.own.key;
  }
  for (const [i, { certificate }] of (their.others ?? []).entries())
    files[`x509ca/other-${i}.pem`] = certificate;
  for (const [i, { certificate }] of (their.trusted ?? []).entries())
    files[`x509ca/trusted-${i}.pem`] = certificate;
  const local: Section =
    their.own === undefined
      ? { auth: 'psk', id: idOf(lab.right) }
      : { auth: 'pubkey', id: idOf(lab.right), certs: 'own.pem' };
  const conf: Section = {
    ...base,
    connections: {
      site: {
        ...site,
        local: { ...local, ...their.local },
        remote: { auth: 'pubkey', id: idOf(lab.left), ...their.remote },
      },
    },
  };
  const charon = await lab.charon(lab.right, conf, their.daemon, files);
  const config = ours(lab.left, lab.right);
  const connection = config.connections?.['site'];
  const gateway = await lab.gateway(lab.left, {
    ...config,
    connections: {
      site: {
        ...connection,
        local: {
          address: lab.left.outer,
          ...('localId' in our
            ? our.localId === undefined
              ? {}
              : { id: our.localId }
            : { id: idOf(lab.left) }),
          auth: our.local,
        },
        remote: { address: lab.right.seenAs, id: our.remoteId ?? idOf(lab.right), auth: our.remote },
      },
    },
  });
  return { gateway, charon };
}

/** Up from one side, traffic passes, and both hold the same SAs. */
async function works(lab: Lab, side: Side, what: Scene): Promise<Pair> {
  const both = await pair(lab, what);
  await bringUp(both, side);
  await agree(both);
  return both;
}

/** Initiates from one side, expects a refusal that leaves nothing up, and gives our report of it. */
async function refused(lab: Lab, side: Side, what: Scene): Promise<FailureReport> {
  const both = await pair(lab, what);
  const attempt = side === 'we' ? both.gateway.initiate('site', 'net') : both.charon.initiate('net');
  await assert.rejects(attempt);
  const [report] = await both.gateway.event('failed');
  await both.gateway.empty();
  await both.charon.empty();
  assert.equal(report.code, 'authentication');
  // A responder believes first, and learns later that it was not believed.
  const heardLate = side === 'they' && /does not believe who we are/.test(report.message);
  assert.equal(both.gateway.events('child-up').length, heardLate ? 1 : 0);
  return report;
}

/** With which scheme strongSwan says that we signed, and that it signed itself. */
function schemes({ charon }: Pair): { ours: string | undefined; theirs: string | undefined } {
  return {
    ours: /authentication of '[^']+' with (\S+)(?: signature)? successful/.exec(charon.log)?.[1],
    theirs: /authentication of '[^']+' \(myself\) with (\S+)/.exec(charon.log)?.[1],
  };
}

const KEYS: [key: TestKey, ours: string, theirs: string][] = [
  ['rsa2048', 'RSA_EMSA_PSS_SHA2_256_SALT_32', 'RSA_EMSA_PKCS1_SHA2_256'],
  ['p256', 'ECDSA_WITH_SHA256_DER', 'ECDSA_WITH_SHA256_DER'],
  ['p384', 'ECDSA_WITH_SHA384_DER', 'ECDSA_WITH_SHA384_DER'],
  ['p521', 'ECDSA_WITH_SHA512_DER', 'ECDSA_WITH_SHA512_DER'],
  ['ed25519', 'ED25519', 'ED25519'],
];
for (const side of SIDES) {
  for (const [key, our, their] of KEYS)
    scenario(`RFC 7427 §3: ${side} initiate with certificates for ${key} keys`, {}, async (lab) => {
      const both = await works(lab, side, scene(key));
      assert.deepEqual(schemes(both), { ours: our, theirs: their });
      if (key === 'rsa2048') await passes(lab);
    });

  scenario(`RFC 7427 §3: ${side} initiate, both sign with RSA-PSS and 3,072 bits`, {}, async (lab) => {
    const both = await works(lab, side, scene('rsa3072', { their: { daemon: { rsa_pss: true } } }));
    assert.deepEqual(schemes(both), {
      ours: 'RSA_EMSA_PSS_SHA2_256_SALT_32',
      theirs: 'RSA_EMSA_PSS_SHA2_256_SALT_32',
    });
  });

  scenario(
    `RFC 7427 §3: ${side} initiate, we sign with PKCS#1 v1.5 and SHA-384 as configured`,
    {},
    async (lab) => {
      const base = scene('rsa2048');
      const local = {
        ...base.our.local,
        signatures: ['rsa-pkcs1-sha384' as const, 'rsa-pss-sha256' as const],
      };
      const both = await works(lab, side, { ...base, our: { ...base.our, local } });
      assert.equal(schemes(both).ours, 'RSA_EMSA_PKCS1_SHA2_384');
    },
  );

  for (const [key, name] of [
    ['p256', 'ECDSA-256'],
    ['p384', 'ECDSA-384'],
    ['p521', 'ECDSA-521'],
  ] as const)
    scenario(
      `RFC 4754 §3: ${side} initiate with a ${key} key and a peer that knows no RFC 7427`,
      {},
      async (lab) => {
        const both = await works(
          lab,
          side,
          scene(key, { their: { daemon: { signature_authentication: false } } }),
        );
        assert.deepEqual(schemes(both), { ours: name, theirs: name });
      },
    );

  scenario(`RFC 7296 §3.8: ${side} initiate with RSA and SHA-1, which both sides allow`, {}, async (lab) => {
    const base = scene('rsa2048', { their: { daemon: { signature_authentication: false } } });
    const { local, remote } = base.our;
    const our = { local: { ...local, allowSha1: true }, remote: { ...remote, allowSha1: true } };
    const both = await works(lab, side, { ...base, our });
    const warnings = both.gateway.events('warning').map(([{ code, connection }]) => `${code} ${connection}`);
    assert.deepEqual(warnings, ['sha1-signature site', 'sha1-signature site'], 'one for each direction');
    assert.deepEqual(schemes(both), { ours: 'RSA', theirs: 'RSA' });
  });

  scenario(`RFC 8247 §3.2: ${side} initiate with RSA and SHA-1, which nobody allowed`, {}, async (lab) => {
    const report = await refused(
      lab,
      side,
      scene('rsa2048', { their: { daemon: { signature_authentication: false, half_open_timeout: 2 } } }),
    );
    assert.match(`${report.message} ${report.advice}`, /allowSha1/);
  });

  scenario(
    `RFC 7296 §3.6: ${side} initiate, each with a certificate of an intermediate CA that comes along`,
    {},
    async (lab) => {
      const { pki, root } = authority();
      const ourCa = pki.ca('/C=CH/O=Lab/CN=Our CA', { issuer: root });
      const theirCa = pki.ca('/C=CH/O=Lab/CN=Their CA', { issuer: root });
      const own = issue('left', { issuer: ourCa });
      const both = await works(lab, side, {
        our: {
          local: { certificate: [own.certificate, ourCa.certificate], privateKey: own.key },
          remote: { ca: root.certificate },
        },
        their: { own: issue('right', { issuer: theirCa }), others: [theirCa], trusted: [root] },
      });
      await passes(lab);
      assert.deepEqual(both.gateway.events('failed'), []);
    },
  );

  scenario(
    `RFC 7296 §2.15: ${side} initiate, we with a pre-shared key, they with a certificate`,
    {},
    async (lab) => {
      await works(
        lab,
        side,
        scene('p256', { our: { local: { psk: PSK } }, their: { remote: { auth: 'psk' } } }),
      );
    },
  );

  scenario(
    `RFC 7296 §2.15: ${side} initiate, we with a certificate, they with a pre-shared key`,
    {},
    async (lab) => {
      const base = scene('p256', { our: { remote: { psk: PSK } } });
      await works(lab, side, { ...base, their: { trusted: base.their.trusted ?? [] } });
    },
  );

  scenario(
    `RFC 4945 §3.1.5: ${side} initiate with subjects as identities, theirs by a pattern`,
    {},
    async (lab) => {
      const both = await works(
        lab,
        side,
        scene('p256', {
          our: { ...scene('p256').our, localId: undefined, remoteId: 'C=CH, O=*, CN=right' },
          their: { local: { id: '"C=CH, O=Lab, CN=right"' }, remote: { id: '"C=CH, O=Lab, CN=left"' } },
        }),
      );
      const [ike] = await both.gateway.sas();
      assert.equal(ike.localId, 'C=CH, O=Lab, CN=left');
      assert.equal(ike.remoteId, 'C=CH, O=Lab, CN=right');
    },
  );

  scenario(
    `RFC 5280 §6.1: ${side} initiate with a certificate of a CA that we do not trust`,
    {},
    async (lab) => {
      const other = authority().pki.ca('/O=Elsewhere/CN=Other');
      const report = await refused(
        lab,
        side,
        scene('p256', { our: { ...scene('p256').our, remote: { ca: other.certificate } } }),
      );
      assert.equal(report.certificate?.fault, 'untrusted');
      assert.match(report.message, /"C=CH, O=Lab, CN=right" was issued by "C=CH, O=Lab, CN=Root"/);
      assert.match(report.advice ?? '', /remote\.auth\.ca/);
    },
  );

  scenario(
    `RFC 5280 §6.1: ${side} initiate with a certificate of ours whose CA they do not trust`,
    {},
    async (lab) => {
      const other = authority().pki.ca('/O=Elsewhere/CN=Other');
      const report = await refused(lab, side, scene('p256', { their: { trusted: [other] } }));
      assert.equal(report.code, 'authentication');
      if (side === 'we') {
        assert.equal(report.notify, 'AUTHENTICATION_FAILED');
        assert.match(report.advice ?? '', /CN=Root/);
      }
    },
  );

  scenario(`RFC 5280 §4.1.2.5: ${side} initiate with an expired certificate of theirs`, {}, async (lab) => {
    const own = issue('right', { to: '20210101000000Z' });
    const report = await refused(lab, side, scene('p256', { their: { own } }));
    assert.equal(report.certificate?.fault, 'expired');
    assert.match(report.message, /valid until 2021-01-01T00:00:00Z/);
  });

  scenario(`RFC 5280 §4.1.2.5: ${side} initiate with an expired certificate of ours`, {}, async (lab) => {
    const own = issue('left', { to: '20210101000000Z' });
    const { remote } = scene('p256').our;
    const our = { local: { certificate: own.certificate, privateKey: own.key }, remote };
    assert.equal((await refused(lab, side, scene('p256', { our }))).code, 'authentication');
  });
}

scenario(
  'RFC 4945 §3.1: the peer has a certificate, but not for the name that we expect',
  {},
  async (lab) => {
    const own = issue('right', { extensions: endEntity('DNS:other.example.com') });
    const report = await refused(lab, 'they', scene('p256', { their: { own } }));
    assert.equal(report.certificate?.fault, 'identity');
    assert.match(report.message, /is not for "right\.example\.com".* it is for .*"other\.example\.com"/);
  },
);

scenario('RFC 5280 §4.2.1.9: the certificate of the peer comes from one that is no CA', {}, async (lab) => {
  const { pki, root } = authority();
  const notCa = pki.issue({
    subject: '/C=CH/O=Lab/CN=No CA',
    issuer: root,
    extensions: ['basicConstraints=CA:false', ...CA_EXTENSIONS.slice(2)],
  });
  const own = issue('right', { issuer: notCa });
  const report = await refused(lab, 'we', scene('p256', { their: { own, others: [notCa] } }));
  // strongSwan may not send a certificate above its own that is none of a CA.
  assert.match(report.certificate?.fault ?? '', /^(not-a-ca|untrusted)$/);
});

scenario(
  'RFC 7296 §3.6: Wireshark sees CERT and CERTREQ in both directions',
  { needs: ['engine', 'charon', 'openssl', 'tshark'] },
  async (lab) => {
    const both = await pair(lab, scene('rsa2048'));
    const capture = await lab.capture(lab.left);
    await bringUp(both, 'we');
    await passes(lab);
    await both.gateway.terminate('site');
    const frames = await dissectDatagrams(datagrams(await capture.stop()), both.gateway.keys);
    const warnings = frames.flatMap(({ frame, warnings }) =>
      warnings.map((warning) => `${frame}: ${warning}`),
    );
    assert.deepEqual(warnings, []);
    const kinds = (payload: string): number =>
      frames.filter((frame) => valuesOf(frame, 'isakmp.typepayload').includes(payload)).length;
    assert.equal(kinds(CERT_NUMBER), 2, 'a certificate each way');
    assert.ok(kinds(CERTREQ_NUMBER) >= 2, 'asked for each way');
    const names = frames.flatMap((frame) => valuesOf(frame, 'x509ce.dNSName'));
    assert.deepEqual([...new Set(names)].sort(), ['left.example.com', 'right.example.com']);
    const methods = frames.flatMap((frame) => valuesOf(frame, 'isakmp.auth.method'));
    assert.deepEqual(methods, ['14', '14']);
  },
);
