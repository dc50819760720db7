// Makes test/vectors/ikev1-strongswan.json: strongSwan speaks IKEv1 with strongSwan, and what it logs of its keys is kept with what went over
// the wire. Run by hand, as root: `node dist/test/interop/capture-ikev1.js`.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '../../lib/bytes.ts';
import { Lab } from './lab/lab.ts';
import { PSK, theirs } from './lab/settings.ts';
import { pause } from './lab/shell.ts';

const PATH = fileURLToPath(new URL('../../../test/vectors/ikev1-strongswan.json', import.meta.url));

interface Case {
  readonly name: string;
  /** In its notation, which is ours. */
  readonly ike: string;
  readonly esp: string;
  readonly aggressive?: true;
}

const CASES: readonly Case[] = [
  { name: 'Main Mode', ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256' },
  { name: 'Main Mode, forward secrecy', ike: 'aes128-sha256-modp2048', esp: 'aes256-sha256-modp2048' },
  { name: 'Main Mode, a key longer than SKEYID_e', ike: 'aes256-sha1-modp2048', esp: 'aes256-sha1' },
  { name: 'Main Mode, KEYMAT longer than two hashes', ike: 'aes192-sha1-modp1536', esp: 'aes256-sha512' },
  { name: 'Main Mode, SHA-512 on P-256', ike: 'aes256-sha512-ecp256', esp: 'aes128gcm16' },
  { name: 'Main Mode, 3DES', ike: '3des-sha1-modp2048', esp: '3des-sha1' },
  { name: 'Aggressive Mode', ike: 'aes128-sha256-modp2048', esp: 'aes128-sha256-modp2048', aggressive: true },
];

/** Names of values in its log, and whether the second one of that name is of phase 2. */
const VALUES: Readonly<Record<string, string>> = {
  'shared Diffie Hellman secret': 'secret',
  SKEYID: 'skeyid',
  SKEYID_d: 'd',
  SKEYID_a: 'a',
  SKEYID_e: 'e',
  'encryption key Ka': 'cipherKey',
  'initial IV': 'initialIv',
  HASH_I: 'hashI',
  HASH_R: 'hashR',
  'Hash(1)': 'hash1',
  'Hash(2)': 'hash2',
  'Hash(3)': 'hash3',
  'DH secret': 'phase2Secret',
  'encryption initiator key': 'encryptionI',
  'encryption responder key': 'encryptionR',
  'integrity initiator key': 'integrityI',
  'integrity responder key': 'integrityR',
};

/** The first value of each name, in hexadecimal. */
function readLog(log: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = log.split('\n');
  for (const [at, line] of lines.entries()) {
    const [, title = '', count = '0'] = /\] (.+) => (\d+) bytes/.exec(line) ?? [];
    const name = VALUES[title];
    if (name === undefined || values[name] !== undefined) continue;
    let hex = '';
    for (let next = at + 1; hex.length < 2 * Number(count); next++)
      hex += [...(/\d+: ((?:[0-9A-F]{2} ?)+)/.exec(lines[next])?.[1] ?? '').matchAll(/[0-9A-F]{2}/g)].join(
        '',
      );
    values[name] = hex.slice(0, 2 * Number(count)).toLowerCase();
  }
  return values;
}

async function record({ name, ike, esp, aggressive }: Case): Promise<unknown> {
  const lab = await Lab.make(false);
  try {
    const options = {
      connection: { version: 1, proposals: ike, aggressive: aggressive === true },
      child: { esp_proposals: esp },
    };
    const log = join(lab.folder, 'keys');
    const daemon = (path: string) => ({
      i_dont_care_about_security_and_use_aggressive_mode_psk: true,
      filelog: { lab: { path, default: 1, ike: 4, chd: 4, flush_line: true } },
    });
    await lab.charon(lab.right, theirs(lab.right, lab.left, options), daemon(`${log}-right`));
    const left = await lab.charon(lab.left, theirs(lab.left, lab.right, options), daemon(log));
    const capture = await lab.capture(lab.left);
    await left.initiate('net');
    await pause(300);
    await left.terminate({ ike: 'site' }).catch(() => undefined);
    await pause(300);
    const frames = await capture.stop();
    const messages = frames
      .filter(({ destinationPort, payload }) => [500, 4500].includes(destinationPort) && payload.length > 28)
      .map(({ source, destinationPort, payload }) => ({
        from: source === lab.left.outer ? 'initiator' : 'responder',
        natt: destinationPort === 4500,
        // Without the non-ESP marker.
        hex: toHex(destinationPort === 4500 ? payload.subarray(4) : payload),
      }));
    return { name, ike, esp, values: readLog(readFileSync(log, 'utf8')), messages };
  } finally {
    await lab.close();
  }
}

const cases: unknown[] = [];
for (const one of CASES) cases.push(await record(one));
const origin =
  'strongSwan 5.9.8 of Debian 12 with itself, in network namespaces; its log, and what tcpdump saw';
writeFileSync(PATH, `${JSON.stringify({ origin, psk: PSK, cases }, null, 1)}\n`);
