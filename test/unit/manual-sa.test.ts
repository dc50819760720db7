// SAs by hand, read: every mistake is a ConfigError that names the field and never shows a key.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ManualSaInput, parseManualSa } from '../../lib/config/manual.ts';
import { ConfigError } from '../../lib/errors.ts';
import { formatSelector } from '../../lib/ipsec/selector.ts';

const KEY = `0x${'5e'.repeat(20)}`;
const ESP: ManualSaInput = {
  direction: 'out',
  spi: 0xc0000001,
  local: '192.0.2.1',
  remote: '192.0.2.2',
  proposal: 'aes128gcm16',
  encryptionKey: KEY,
};
const AH: ManualSaInput = {
  direction: 'in',
  protocol: 'ah',
  mode: 'transport',
  spi: 4096,
  local: '192.0.2.1',
  remote: '192.0.2.2',
  proposal: 'sha256-esn',
  integrityKey: new Uint8Array(32).fill(7),
};

function mistake(input: object): string {
  try {
    parseManualSa(input);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.ok(!error.message.includes('5e5e'), 'a key is shown');
    assert.ok(error.message.startsWith(`${error.path}: `));
    return error.message;
  }
  assert.fail('the SA was accepted');
}

test('what is left out: ESP in tunnel mode between the outer addresses, a window for what comes in', () => {
  const manual = parseManualSa(ESP);
  const sa = manual.parameters({ id: 1, policyId: 2 }, 4500);
  assert.deepEqual(
    [sa.protocol, sa.mode, sa.udpEncapsulation, sa.esn, sa.replayWindow, sa.policyId],
    ['esp', 'tunnel', false, false, 0, 2],
  );
  assert.deepEqual([sa.local.port, sa.remote.port], [0, 0]);
  assert.deepEqual([...sa.localTs, ...sa.remoteTs].map(formatSelector), ['192.0.2.1/32', '192.0.2.2/32']);
  assert.equal(sa.encryptionKey?.length, 20);
  assert.deepEqual(sa.header, { copyDscp: 'out', ecn: true });
  const inbound = parseManualSa({ ...ESP, direction: 'in', encap: true, remotePort: 4501 });
  const received = inbound.parameters({ id: 1, policyId: 0 }, 4500);
  assert.equal(received.replayWindow, 1024);
  assert.deepEqual([received.local.port, received.remote.port], [4500, 4501]);
});

test('AH has its integrity algorithm, the mode that is asked for, and ESN by its proposal', () => {
  const sa = parseManualSa(AH).parameters({ id: 1, policyId: 0 }, 4500);
  assert.deepEqual([sa.protocol, sa.mode, sa.integrity?.name, sa.esn], ['ah', 'transport', 'sha256', true]);
  assert.equal(sa.encryption, undefined);
  assert.equal(sa.header, undefined);
  assert.equal(sa.integrityKey?.length, 32);
});

test('keys are copies that are wiped when the data plane has its own', () => {
  const key = new Uint8Array(32).fill(9);
  const manual = parseManualSa({ ...AH, integrityKey: key });
  const sa = manual.parameters({ id: 1, policyId: 0 }, 4500);
  manual.wipe();
  assert.ok(sa.integrityKey?.every((byte) => byte === 0));
  assert.ok(key.every((byte) => byte === 9));
});

test('a mistake names its field and what was expected', () => {
  for (const [change, message] of [
    [{ spi: 255 }, /^sa\.spi: 255 is not accepted; expected a whole number from 256/],
    [{ spi: undefined }, /^sa\.spi: is missing/],
    [{ direction: 'both' }, /^sa\.direction: "both" is not accepted; expected "in" or "out"/],
    [{ encryptionKey: '0x5e5e' }, /^sa\.encryptionKey: has 2 bytes; expected 20 bytes for aes128gcm16/],
    [{ encryptionKey: 'secret' }, /^sa\.encryptionKey: a string \(not shown\) is not accepted/],
    [{ encryptionKey: undefined }, /^sa\.encryptionKey: is missing; expected 20 bytes/],
    [{ integrityKey: KEY }, /^sa\.integrityKey: has 20 bytes; expected none for this proposal/],
    [{ proposal: 'aes128gcm16-curve25519' }, /^sa\.proposal: .*no key is exchanged/],
    [{ proposal: 'aes128gcm16-aes256gcm16' }, /^sa\.proposal: .*names aes128gcm16 and aes256gcm16/],
    [{ proposal: 'aes128-esn-noesn-sha1' }, /^sa\.proposal: .*names esn and noesn/],
    [{ proposal: 'aes' }, /^sa\.proposal: .*no integrity algorithm/],
    [{ proposal: 7 }, /^sa\.proposal: 7 is not accepted; expected text/],
    [{ remote: '2001:db8::2' }, /^sa\.remote: .*not of the address family/],
    [{ remote: 'peer.example' }, /^sa\.remote: .*host name/],
    [{ localTs: ['nowhere'] }, /^sa\.localTs: entry 1/],
    [{ replayWindow: 64 }, /^sa\.replayWindow: is not accepted for an outbound SA/],
    [{ remotePort: 4500 }, /^sa\.remotePort: is not accepted without encap/],
    [{ direction: 'in', policy: false }, /^sa\.policy: is not accepted for an inbound SA/],
    [{ mode: 'transport', copyEcn: true }, /^sa\.copyEcn: is not accepted in transport mode/],
    [{ mode: 'transport', remoteTs: ['10.0.0.0/8'] }, /^sa\.remoteTs: does not hold "192\.0\.2\.2"/],
    [{ encryptionkey: KEY }, /^sa\.encryptionkey: unknown option; did you mean "encryptionKey"\?/],
  ] as const)
    assert.match(mistake({ ...ESP, ...change }), message);
  assert.match(mistake({ ...AH, encap: true }), /^sa\.encap: is not accepted with AH/);
  assert.match(mistake({ ...AH, outer: 3 }), /^sa\.outer: is not accepted with AH/);
  assert.match(mistake({ ...AH, tfcPadding: 3 }), /^sa\.tfcPadding: is not accepted for an inbound SA/);
  assert.match(mistake({ ...AH, proposal: 'aes128gcm16' }), /^sa\.proposal: .*AH does not encrypt/);
});
