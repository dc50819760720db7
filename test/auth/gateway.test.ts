// Certificates through the public API: two gateways on loopback, a key that stays elsewhere, and one that never answers.

import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type ConfigInput, createGateway, type Gateway, NegotiationError } from '../../lib/index.ts';
import { endEntity, makePki } from '../lib/pki.ts';

const pki = makePki();
const root = pki.ca('/O=Example/CN=Root');
const [hq, branch] = ['hq', 'branch'].map((name) =>
  pki.issue({
    subject: `/O=Example/CN=${name}`,
    issuer: root,
    key: 'ed25519',
    extensions: endEntity(`DNS:${name}.example.com`),
  }),
);

type Auth = NonNullable<NonNullable<NonNullable<ConfigInput['connections']>[string]['local']>['auth']>;

async function gateways(t: TestContext, auth: Auth): Promise<Gateway> {
  const make = async (
    own: string,
    peer: string,
    id: string,
    localAuth: Auth,
    ports?: Gateway['ports'],
  ): Promise<Gateway> => {
    const [here, there] =
      own === '127.0.0.1' ? ['10.1.0.0/16', '10.2.0.0/16'] : ['10.2.0.0/16', '10.1.0.0/16'];
    const gateway = await createGateway({
      dataPlane: 'portable',
      listen: { addresses: [own], port: 0, nattPort: 0 },
      retransmit: { timeout: '200ms', tries: 4 },
      connections: {
        site: {
          local: { address: own, id, auth: localAuth },
          remote: {
            address: peer,
            ...(ports === undefined ? {} : { port: ports.ike, nattPort: ports.natt }),
            id: '*.example.com',
            auth: { ca: root.certificate },
          },
          children: { net: { localTs: [here], remoteTs: [there] } },
        },
      },
    });
    t.after(() => gateway.close());
    return gateway;
  };
  const theirs = { certificate: branch.certificate, privateKey: branch.key };
  const responder = await make('127.0.0.2', '127.0.0.1', 'branch.example.com', theirs);
  return make('127.0.0.1', '127.0.0.2', 'hq.example.com', auth, responder.ports);
}

test('a key that stays in a KMS signs through a function', async (t) => {
  const asked: string[] = [];
  const gateway = await gateways(t, {
    certificate: hq.certificate,
    privateKey: async (algorithm, data) => {
      asked.push(algorithm);
      return sign(null, data, hq.key);
    },
  });
  await gateway.initiate('site');
  assert.deepEqual(asked, ['ed25519']);
  const [ike] = gateway.sas();
  assert.equal(ike.remoteId, 'branch.example.com');
});

for (const [what, privateKey] of [
  [
    'throws',
    () => {
      throw new Error('the HSM is gone');
    },
  ],
  ['rejects', () => Promise.reject(new Error('the HSM is gone'))],
  ['signs something else', async () => sign(null, Buffer.from('else'), hq.key)],
] as const)
  test(`a function that ${what} is a failure that says so, and nothing else`, async (t) => {
    const gateway = await gateways(t, { certificate: hq.certificate, privateKey });
    await assert.rejects(gateway.initiate('site'), (error: unknown) => {
      assert.ok(error instanceof NegotiationError);
      assert.equal(error.report?.code, 'authentication');
      assert.match(error.message, /our signature could not be made/);
      return true;
    });
    assert.deepEqual(gateway.sas(), []);
  });

test('a gateway closes while a signature is still out, which then changes nothing', async (t) => {
  const { promise: called, resolve: call } = later();
  const { promise: answer, resolve: give } = later<Uint8Array>();
  const gateway = await gateways(t, {
    certificate: hq.certificate,
    privateKey: () => {
      call();
      return answer;
    },
  });
  const failed = assert.rejects(gateway.initiate('site'));
  await called;
  await gateway.close();
  give(sign(null, Buffer.from('late'), hq.key));
  await failed;
  assert.deepEqual(gateway.sas(), []);
});

function later<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
