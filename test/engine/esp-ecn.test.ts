// DSCP and ECN between inner and outer header, by every row of RFC 6040's tables, in UDP (where the socket carries them), without,
// and in AH.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AhParameters, EspParameters } from '../../lib/ipsec/data-plane.ts';
import { ahOf, modelAh } from './ah-model.ts';
import { modelSeal, saOf } from './esp-model.ts';
import { checksum, codecOf, ENDS, endsOf, ipPacket, passed, tunnelHeader } from './header-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const FAMILIES = [4, 6] as const;
const CODEPOINTS = { notEct: 0, ect1: 1, ect0: 2, ce: 3 } as const;
const { notEct, ect1, ect0, ce } = CODEPOINTS;
/** Figure 4: by inner, then by outer. */
const FIGURE_4: Readonly<Record<number, Readonly<Record<number, number | 'drop'>>>> = {
  [notEct]: { [notEct]: notEct, [ect0]: notEct, [ect1]: notEct, [ce]: 'drop' },
  [ect0]: { [notEct]: ect0, [ect0]: ect0, [ect1]: ect1, [ce]: ce },
  [ect1]: { [notEct]: ect1, [ect0]: ect1, [ect1]: ect1, [ce]: ce },
  [ce]: { [notEct]: ce, [ect0]: ce, [ect1]: ce, [ce]: ce },
};
const KINDS = ['udp', 'esp', 'ah'] as const;

type Sa = EspParameters | AhParameters;

function saOfKind(kind: (typeof KINDS)[number], family: 4 | 6, header: Sa['header']): Sa {
  const changes = { replayWindow: 0, ...(header === undefined ? {} : { header }) };
  return kind === 'ah'
    ? ahOf('sha256', family, changes)
    : saOf('aes128gcm16', { ...endsOf(family), udpEncapsulation: kind === 'udp', ...changes });
}

function inner(family: 4 | 6, tos: number): Uint8Array {
  const [source, destination] = family === 4 ? ['10.1.0.1', '10.2.0.1'] : ['fd00::1', 'fd00::2'];
  return ipPacket({ source, destination, protocol: 253, tos, flowLabel: 0xabcde }, new Uint8Array(20));
}

function tosOf(packet: Uint8Array): number {
  return packet[0] >> 4 === 4 ? packet[1] : ((packet[0] & 15) << 4) | (packet[1] >> 4);
}

/** What the outer header says of a packet that was sealed. */
function sealedTos(sa: Sa, packet: Uint8Array): number {
  const codec = codecOf(sa, 'out');
  const sealed = passed(codec.seal([packet])[0]);
  return sa.udpEncapsulation ? codec.counters().tos : tosOf(sealed);
}

function openWith(sa: Sa, family: 4 | 6, packet: Uint8Array, outerTos: number): Uint8Array | string {
  const [ours, theirs] = ENDS[family];
  const ends = { source: theirs, destination: ours };
  const next = packet[0] >> 4 === 4 ? 4 : 41;
  const codec = codecOf(sa, 'in');
  if (sa.protocol === 'ah')
    return codec.open([modelAh(sa, family, 1n, next, { ...ends, tos: outerTos }, packet)])[0];
  const esp = modelSeal(sa, 1n, packet);
  if (sa.udpEncapsulation) return codec.open([esp], outerTos)[0];
  return codec.open([tunnelHeader({ ...sa, local: sa.remote, remote: sa.local }, 50, outerTos, esp)])[0];
}

test('RFC 6040 §4.1: the outer header has the inner ECN in normal mode, none in compatibility mode; RFC 4301 §5.1.2: and its DSCP or none', {
  skip,
}, () => {
  for (const kind of KINDS)
    for (const outerFamily of FAMILIES)
      for (const family of FAMILIES)
        for (const ecn of [true, false])
          for (const copyDscp of ['out', 'in', 'yes', 'no'] as const) {
            const sa = saOfKind(kind, outerFamily, { copyDscp, ecn });
            for (const codepoint of Object.values(CODEPOINTS))
              for (const dscp of [0, 46, 63]) {
                const dscpOut = copyDscp === 'out' || copyDscp === 'yes' ? dscp : 0;
                const expected = (dscpOut << 2) | (ecn ? codepoint : 0);
                const tos = sealedTos(sa, inner(family, (dscp << 2) | codepoint));
                assert.equal(tos, expected, `${kind} ${copyDscp} ecn ${ecn}: ${dscp}/${codepoint}`);
              }
          }
});

test('RFC 6040 §4.2: what leaves the tunnel has the ECN of Figure 4, and is dropped where it says so; RFC 4301 §5.1.2: DSCP stays unless it is to be copied', {
  skip,
}, () => {
  for (const kind of KINDS)
    for (const outerFamily of FAMILIES)
      for (const family of FAMILIES)
        for (const ecn of [true, false])
          for (const copyDscp of ['out', 'in', 'yes', 'no'] as const) {
            const sa = saOfKind(kind, outerFamily, { copyDscp, ecn });
            for (const innerEcn of Object.values(CODEPOINTS))
              for (const outerEcn of Object.values(CODEPOINTS))
                for (const [innerDscp, outerDscp] of [
                  [46, 0],
                  [0, 46],
                  [10, 63],
                ]) {
                  const packet = inner(family, (innerDscp << 2) | innerEcn);
                  const result = openWith(sa, outerFamily, packet, (outerDscp << 2) | outerEcn);
                  const expected = ecn ? FIGURE_4[innerEcn][outerEcn] : innerEcn;
                  const what = `${kind} ${copyDscp} ecn ${ecn}: inner ${innerEcn}, outer ${outerEcn}`;
                  if (expected === 'drop') {
                    assert.equal(result, 'ecn', what);
                    continue;
                  }
                  const dscp = copyDscp === 'in' || copyDscp === 'yes' ? outerDscp : innerDscp;
                  const opened = passed(result);
                  assert.equal(tosOf(opened), (dscp << 2) | expected, what);
                  if (family === 4) assert.equal(checksum(opened.subarray(0, 20)), 0, `${what}: checksum`);
                  const same = inner(family, tosOf(opened));
                  assert.deepEqual(Buffer.from(opened), Buffer.from(same), `${what}: all else as it was`);
                }
          }
});

test('RFC 1624 §3: the checksum stays right for every change of an IPv4 TOS', { skip }, () => {
  const sa = saOf('aes128gcm16', { replayWindow: 0, header: { copyDscp: 'yes', ecn: false } });
  const made = Array.from({ length: 256 }, (_, tos) => modelSeal(sa, 1n, inner(4, tos)));
  for (let outer = 0; outer < 256; outer += 4)
    codecOf(sa, 'in')
      .open(made, outer)
      .forEach((result, tos) => {
        const packet = passed(result);
        assert.equal(packet[1], outer | (tos & 3));
        assert.equal(checksum(packet.subarray(0, 20)), 0, `${tos} to ${outer}`);
      });
});
