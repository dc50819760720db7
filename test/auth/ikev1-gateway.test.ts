// IKEv1's authentication through the public API: two gateways on loopback with their own threads and sockets, and a key that stays elsewhere.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type ConfigInput, createGateway, type Gateway } from '../../lib/index.ts';
import { endEntity, type Issued, makePki, openssl, type TestKey } from '../lib/pki.ts';

const pki = makePki();
const root = pki.ca('/O=Example/CN=Root');

type Connection = NonNullable<ConfigInput['connections']>[string];
type LocalAuth = NonNullable<NonNullable<Connection['local']>['auth']>;
type RemoteAuth = NonNullable<NonNullable<Connection['remote']>['auth']>;

function issue(name: string, key: TestKey): Issued {
  const extensions = endEntity(`DNS:${name}.example.com`);
  return pki.issue({ subject: `/O=Example/CN=${name}`, issuer: root, key, extensions });
}

interface Side {
  readonly name: string;
  readonly local: LocalAuth;
  readonly remote: RemoteAuth;
}

/** Both, and the child between them that `hq` brought up. */
async function connected(t: TestContext, hq: Side, branch: Side, more: Connection): Promise<Gateway[]> {
  const make = async (own: string, peer: string, side: Side, ports?: Gateway['ports']): Promise<Gateway> => {
    const [here, there] =
      own === '127.0.0.1' ? ['10.1.0.0/16', '10.2.0.0/16'] : ['10.2.0.0/16', '10.1.0.0/16'];
    const gateway = await createGateway({
      dataPlane: 'portable',
      listen: { addresses: [own], port: 0, nattPort: 0 },
      retransmit: { timeout: '500ms', tries: 4 },
      connections: {
        site: {
          version: 1,
          proposals: ['aes128-sha256-ecp256'],
          ...more,
          local: { address: own, id: `${side.name}.example.com`, auth: side.local },
          remote: {
            address: peer,
            ...(ports === undefined ? {} : { port: ports.ike, nattPort: ports.natt }),
            id: '*.example.com',
            auth: side.remote,
          },
          children: { net: { localTs: [here], remoteTs: [there], espProposals: ['aes128-sha256'] } },
        },
      },
    });
    t.after(() => gateway.close());
    return gateway;
  };
  const responder = await make('127.0.0.2', '127.0.0.1', branch);
  const initiator = await make('127.0.0.1', '127.0.0.2', hq, responder.ports);
  // The responder's is up with the third message of Quick Mode.
  const theirs = once(responder, 'child-up');
  await initiator.initiate('site', 'net');
  await theirs;
  return [initiator, responder];
}

function assertUp(gateways: readonly Gateway[]): void {
  for (const [at, gateway] of gateways.entries()) {
    const [ike, ...others] = gateway.sas();
    assert.equal(others.length, 0);
    assert.equal(ike.version, 1);
    assert.equal(ike.remoteId, at === 0 ? 'branch.example.com' : 'hq.example.com');
    assert.equal(ike.children.length, 1);
  }
}

for (const publicKeyEncryption of ['original', 'revised'] as const)
  for (const aggressive of [false, true])
    test(`RFC 2409 §5.2, RFC 2409 §5.3: ${publicKeyEncryption} public-key encryption comes up, ${aggressive ? 'Aggressive' : 'Main'} Mode`, async (t) => {
      const [hq, branch] = [issue('hq', 'rsa2048'), issue('branch', 'rsa3072')];
      const side = (name: string, own: Issued, other: Issued): Side => ({
        name,
        local: { certificate: own.certificate, privateKey: own.key },
        remote: { certificate: other.certificate },
      });
      const more = { publicKeyEncryption, aggressive };
      assertUp(await connected(t, side('hq', hq, branch), side('branch', branch, hq), more));
    });

test('RFC 2409 §5.1: keys that stay in a KMS sign the hash as it is given, RSA and ECDSA', async (t) => {
  for (const [kind, name] of [
    ['p256', 'ecdsa-bare'],
    ['rsa2048', 'rsa-bare'],
  ] as const) {
    const [hq, branch] = [issue('hq', kind), issue('branch', kind)];
    const asked: [string, number][] = [];
    // The openssl command signs what it is given, without a hash of its own; ECDSA comes as DER.
    const kms = (own: Issued) => async (algorithm: string, data: Uint8Array) => {
      asked.push([algorithm, data.length]);
      const path = `${pki.folder}/hash`;
      writeFileSync(path, data);
      return new Uint8Array(openssl('pkeyutl', '-sign', '-inkey', own.keyPath, '-in', path));
    };
    const side = (who: string, own: Issued): Side => ({
      name: who,
      local: { certificate: own.certificate, privateKey: kms(own) },
      remote: { ca: root.certificate },
    });
    assertUp(await connected(t, side('hq', hq), side('branch', branch), { aggressive: kind === 'p256' }));
    assert.deepEqual(asked, [
      [name, 32],
      [name, 32],
    ]);
  }
});
