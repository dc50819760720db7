// IKEv1 with certificates against strongSwan 5.9, in both roles: RSA and ECDSA signatures, Main Mode and Aggressive Mode, rekeying of phase 1,
// and a certificate that is not trusted. Packets pass through every tunnel that is to be one.

import assert from 'node:assert/strict';
import { endEntity, type Issued, Pki, type TestKey } from '../lib/pki.ts';
import type { Section } from './lab/conf.ts';
import { type Lab, scenario } from './lab/lab.ts';
import { idOf, ours, theirs } from './lab/settings.ts';
import { agree, bringUp, type Pair, passes, SIDES } from './lab/tunnel.ts';

const IKE = 'aes128-sha256-modp2048';
const ESP = 'aes128-sha256';
const NEEDS = ['engine', 'charon', 'openssl'] as const;

interface Signed {
  readonly key: TestKey;
  readonly ike?: string;
  readonly aggressive?: boolean;
  /** In place of the CA that issued theirs. */
  readonly trusted?: string;
}

const CASES: readonly Signed[] = [
  { key: 'rsa2048' },
  { key: 'rsa3072', ike: 'aes256-sha512-ecp384' },
  { key: 'p256' },
  { key: 'p384', ike: 'aes256-sha512-ecp384' },
  { key: 'p521', ike: 'aes128-sha1-modp2048' },
  { key: 'rsa2048', aggressive: true },
  { key: 'p256', ike: 'aes128-sha512-ecp256', aggressive: true },
];

for (const settings of CASES)
  for (const side of SIDES) {
    const mode = settings.aggressive ? 'Aggressive' : 'Main';
    const section = settings.key.startsWith('rsa') ? 'RFC 2409 §5.1' : 'RFC 4754 §7';
    scenario(
      `${section}: ${side} initiate ${mode} Mode with ${settings.key} certificates, ${settings.ike ?? IKE}`,
      { needs: NEEDS },
      async (lab) => {
        const pair = await signed(lab, settings);
        await bringUp(pair, side);
        const views = await agree(pair);
        assert.equal(views.ours.version, 1);
        assert.equal(views.ours.remoteId, idOf(lab.right));
        await passes(lab);
        await pair.gateway.rekey('site');
        await agree(pair);
        await passes(lab);
      },
    );
  }

for (const aggressive of [false, true])
  for (const side of SIDES)
    scenario(
      `RFC 2409 §5.1: ${side} initiate ${aggressive ? 'Aggressive' : 'Main'} Mode, and their certificate is of a CA that we do not trust`,
      { needs: NEEDS },
      async (lab) => {
        const trusted = new Pki().ca('/C=CH/O=Lab/CN=Another').certificate;
        const { gateway, charon } = await signed(lab, { key: 'rsa2048', aggressive, trusted });
        await assert.rejects(side === 'we' ? gateway.initiate('site', 'net') : charon.initiate('net'));
        const [report] = await gateway.event('failed');
        assert.equal(report.code, 'authentication');
        assert.match(report.message, /not believed/);
        await gateway.empty();
        assert.deepEqual(gateway.events('child-up'), []);
      },
    );

/** Certificates of one CA on both sides; made when the first scenario runs, for openssl takes its time. */
let pki: { readonly pki: Pki; readonly root: Issued } | undefined;

/** Both ends with certificates. */
async function signed(lab: Lab, { key, ike = IKE, aggressive = false, trusted }: Signed): Promise<Pair> {
  if (pki === undefined) {
    const made = new Pki();
    pki = { pki: made, root: made.ca('/C=CH/O=Lab/CN=Root') };
  }
  const { root, pki: authority } = pki;
  const issue = (name: string): Issued =>
    authority.issue({
      subject: `/C=CH/O=Lab/CN=${name}`,
      issuer: root,
      key,
      extensions: endEntity(`DNS:${name}.example.com`),
    });
  const [own, theirOwn] = [issue('left'), issue('right')];
  const base = theirs(lab.right, lab.left, {
    connection: { version: 1, proposals: ike, aggressive },
    child: { esp_proposals: ESP },
  });
  const site = (base['connections'] as Section)['site'] as Section;
  const conf: Section = {
    ...base,
    connections: {
      site: {
        ...site,
        local: { auth: 'pubkey', id: idOf(lab.right), certs: 'own.pem' },
        remote: { auth: 'pubkey', id: idOf(lab.left) },
      },
    },
  };
  const charon = await lab.charon(
    lab.right,
    conf,
    { delete_rekeyed: true },
    {
      'x509/own.pem': theirOwn.certificate,
      'private/own.pem': theirOwn.key,
      'x509ca/root.pem': root.certificate,
    },
  );
  const config = ours(lab.left, lab.right, {
    top: { limits: { halfOpenTimeout: '3s' } },
    connection: { version: 1, proposals: [ike], aggressive },
    child: { espProposals: [ESP] },
  });
  const gateway = await lab.gateway(lab.left, {
    ...config,
    connections: {
      site: {
        ...config.connections?.['site'],
        local: {
          address: lab.left.outer,
          id: idOf(lab.left),
          auth: { certificate: own.certificate, privateKey: own.key },
        },
        remote: {
          address: lab.right.seenAs,
          id: idOf(lab.right),
          auth: { ca: [trusted ?? root.certificate] },
        },
      },
    },
  });
  return { gateway, charon };
}
