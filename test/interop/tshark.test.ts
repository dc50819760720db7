// Wireshark's dissectors as a third witness of a whole life against strongSwan: what went over the wire between two namespaces is
// decrypted with the keys that our gateway exported, through rekeyings of both kinds; nothing is malformed, and inside ESP are the
// packets of the ping.

import assert from 'node:assert/strict';
import { dissectDatagrams, payloadNumbers, valuesOf } from '../lib/tshark.ts';
import { datagrams } from './lab/capture.ts';
import { scenario } from './lab/lab.ts';
import { agree, bringUp, makePair, passes } from './lab/tunnel.ts';

const SUITES = [
  ['aes128gcm16-prfsha256-curve25519', 'aes128gcm16-curve25519'],
  ['aes256-sha256-modp2048', 'aes256-sha256'],
];
const ICMP = '1';

for (const [ike, esp] of SUITES)
  scenario(
    `tshark decrypts all of ${ike} with ESP ${esp} by our key log`,
    { needs: ['engine', 'charon', 'tshark'] },
    async (lab) => {
      const pair = await makePair(lab, {
        our: { connection: { proposals: [ike] }, child: { espProposals: [esp] } },
        their: { connection: { proposals: ike }, child: { esp_proposals: esp } },
      });
      const capture = await lab.capture(lab.left);
      await bringUp(pair, 'we');
      await passes(lab);
      await pair.gateway.rekey('site', 'net');
      await pair.gateway.rekey('site');
      await agree(pair);
      await passes(lab);
      await pair.gateway.terminate('site');
      const { gateway } = pair;
      const sent = datagrams(await capture.stop());
      const frames = await dissectDatagrams(sent, gateway.keys);

      assert.deepEqual(
        frames.flatMap(({ frame, warnings }) => warnings.map((warning) => `${frame}: ${warning}`)),
        [],
      );
      const messages = frames.filter((frame) => payloadNumbers(frame).length > 0 || isIke(frame));
      assert.equal(messages.length, gateway.messages.length, 'each message once');
      // Every payload that we name is one that tshark sees; the empty ones have SK alone.
      for (const [index, frame] of messages.entries())
        assert.equal(payloadNumbers(frame).length, gateway.messages[index].payloads.length);
      const packets = frames.filter((frame) => valuesOf(frame, 'esp.spi').length > 0);
      assert.equal(packets.length, 16, 'two pings each way, before and after');
      for (const packet of packets) {
        assert.equal(valuesOf(packet, 'ip.proto').at(-1), ICMP, 'decrypted to the packet of the ping');
        assert.ok(valuesOf(packet, 'icmp.type').length > 0);
      }
    },
  );

function isIke(frame: Parameters<typeof valuesOf>[0]): boolean {
  return valuesOf(frame, 'isakmp.exchangetype').length > 0;
}
