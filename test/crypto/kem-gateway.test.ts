// ML-KEM as the only key exchange of whole negotiations: two gateways on loopback, the first exchange, forward secrecy, rekeying from
// both sides, and the way to it from another method's guess. Its two public values have different lengths, which Diffie-Hellman's have not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_ESP_PROPOSALS, DEFAULT_IKE_PROPOSALS } from '../../lib/config/proposal.ts';
import type { Child, Gateway, IkeSaInfo, MessageTrace } from '../../lib/index.ts';
import { BRANCH, HQ, next, packet, startPair } from '../gateway/pair.ts';

const proposals = (ke: string) => ({
  connection: { proposals: [`aes256gcm16-prfsha256-${ke}`] },
  child: { espProposals: [`aes256gcm16-${ke}`] },
});

async function passes(from: Gateway, to: Gateway, there: string, here: string): Promise<void> {
  const arrived = next<[Uint8Array, Child]>(to, 'packet');
  const sent = packet(here, there, 'by lattices');
  assert.equal(from.send(sent), 'sent');
  assert.deepEqual((await arrived)[0], sent);
}

for (const name of ['mlkem512', 'mlkem768', 'mlkem1024'])
  test(`RFC 7296 §1.2, §1.3: ${name} alone: a tunnel comes up, both sides rekey both kinds of SA with it, packets pass`, async (t) => {
    const { hq, branch } = await startPair(t, { hq: proposals(name), branch: proposals(name) });
    await hq.initiate('site', 'net');
    assert.equal(hq.sas()[0].proposal, `aes256gcm16-prfsha256-${name}`);
    const byHq = (await hq.rekey('site', 'net')) as Child;
    assert.equal(byHq.proposal, `aes256gcm16-${name}`);
    const ike = (await hq.rekey('site')) as IkeSaInfo;
    assert.equal(ike.proposal, `aes256gcm16-prfsha256-${name}`);
    const byBranch = next<[Child]>(hq, 'child-rekeyed');
    await branch.rekey('site', 'net');
    await byBranch;
    const ikeByBranch = next<[IkeSaInfo]>(hq, 'ike-rekeyed');
    await branch.rekey('site');
    await ikeByBranch;
    await passes(hq, branch, BRANCH.host, HQ.host);
    await passes(branch, hq, HQ.host, BRANCH.host);
  });

test('RFC 7296 §1.2: the initiator guesses curve25519, is told mlkem768, and begins again with it', async (t) => {
  const { hq, branch } = await startPair(t, {
    hq: proposals('curve25519-mlkem768'),
    branch: proposals('mlkem768'),
  });
  const traces: MessageTrace[] = [];
  hq.on('message', (trace) => traces.push(trace));
  await hq.initiate('site', 'net');
  assert.deepEqual(
    traces
      .filter(({ exchange }) => exchange === 'IKE_SA_INIT')
      .map(({ direction, payloads }) => [direction, payloads[0]]),
    [
      ['sent', 'SA'],
      ['received', 'N(INVALID_KE_PAYLOAD)'],
      ['sent', 'SA'],
      ['received', 'SA'],
    ],
  );
  assert.equal(hq.sas()[0].proposal, 'aes256gcm16-prfsha256-mlkem768');
  await passes(hq, branch, BRANCH.host, HQ.host);
});

test('ML-KEM is offered to nobody who did not ask for it', () => {
  for (const proposal of [...DEFAULT_IKE_PROPOSALS, ...DEFAULT_ESP_PROPOSALS])
    assert.doesNotMatch(proposal, /mlkem/);
});
