// IKE's own messages with every kind of cipher, integrity algorithm and PRF against strongSwan, in both roles: what two of our
// gateways would get wrong alike (which bits of the nonces key SKEYSEED, salts, counters, cut check values) a peer finds out.

import assert from 'node:assert/strict';
import { scenario } from './lab/lab.ts';
import { agree, bringUp, makePair, passes, SIDES } from './lab/tunnel.ts';

const ESP = 'aes128gcm16';
const SUITES: readonly [ike: string, chosen: string][] = [
  ['aes128-aesxcbc-prfaesxcbc-curve25519', 'AES_CBC-128/AES_XCBC_96/PRF_AES128_XCBC/CURVE_25519'],
  ['aes192-aescmac-prfaescmac-curve25519', 'AES_CBC-192/AES_CMAC_96/PRF_AES128_CMAC/CURVE_25519'],
  ['chacha20poly1305-prfsha512-curve25519', 'CHACHA20_POLY1305/PRF_HMAC_SHA2_512/CURVE_25519'],
  ['aes256ccm8-prfaesxcbc-curve25519', 'AES_CCM_8-256/PRF_AES128_XCBC/CURVE_25519'],
  ['aes128ccm12-prfsha384-curve25519', 'AES_CCM_12-128/PRF_HMAC_SHA2_384/CURVE_25519'],
  ['aes192gcm8-prfsha1-curve25519', 'AES_GCM_8-192/PRF_HMAC_SHA1/CURVE_25519'],
  ['aes256gcm12-prfsha256-curve25519', 'AES_GCM_12-256/PRF_HMAC_SHA2_256/CURVE_25519'],
  ['aes128ctr-sha256-prfsha256-curve25519', 'AES_CTR-128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519'],
  [
    'camellia256-sha512-prfsha512-curve25519',
    'CAMELLIA_CBC-256/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/CURVE_25519',
  ],
  ['3des-md5-prfmd5-curve25519', '3DES_CBC/HMAC_MD5_96/PRF_HMAC_MD5/CURVE_25519'],
];

// Each suite once, the roles in turns: both sides derive every key.
for (const [index, [ike, chosen]] of SUITES.entries()) {
  const side = SIDES[index % SIDES.length];
  scenario(
    `RFC 7296 §3.3.2: ${side} initiate an IKE SA of ${ike}, and its child carries packets`,
    {},
    async (lab) => {
      const pair = await makePair(lab, {
        our: { connection: { proposals: [ike] }, child: { espProposals: [ESP] } },
        their: { connection: { proposals: ike }, child: { esp_proposals: ESP } },
      });
      await bringUp(pair, side);
      const { theirs } = await agree(pair);
      assert.equal(theirs.proposal, chosen);
      await passes(lab);
    },
  );
}
