// Choosing among proposals.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProposal } from '../../lib/config/proposal.ts';
import type { ProposalConfig } from '../../lib/config/types.ts';
import { ALGORITHMS } from '../../lib/crypto/algorithms.ts';
import {
  acceptAnswer,
  answerProposal,
  explainMismatch,
  formatSuite,
  offerProposals,
  offersKe,
  selectProposal,
} from '../../lib/ike/proposal.ts';
import {
  Protocol,
  TransformType,
  type WireProposal,
  type WireTransform,
} from '../../lib/ike/wire/message.ts';

const NO_SPI = new Uint8Array(0);
const SPI = Uint8Array.of(1, 2, 3, 4);

function config(use: 'ike' | 'esp', ...texts: readonly string[]): ProposalConfig[] {
  return texts.map((text) => {
    const parsed = parseProposal(text, use);
    assert.ok(parsed.ok, text);
    return parsed.value;
  });
}
const ike = (...texts: readonly string[]) => config('ike', ...texts);
const esp = (...texts: readonly string[]) => config('esp', ...texts);
const offerIke = (...texts: readonly string[]) => offerProposals(Protocol.IKE, NO_SPI, ike(...texts));
const offerEsp = (...texts: readonly string[]) => offerProposals(Protocol.ESP, SPI, esp(...texts));

function chosenIke(
  offer: readonly WireProposal[],
  own: readonly string[],
  preferKe?: number,
): string | undefined {
  const chosen = selectProposal(offer, Protocol.IKE, ike(...own), preferKe === undefined ? {} : { preferKe });
  return chosen && formatSuite(chosen.suite);
}

/** The proposal with its transforms changed. */
function with_(
  offer: readonly WireProposal[],
  change: (transforms: WireTransform[]) => WireTransform[],
): WireProposal[] {
  return offer.map((proposal) => ({ ...proposal, transforms: change([...proposal.transforms]) }));
}

test('RFC 7296 §3.3.1: proposals are numbered from 1, in the order of preference', () => {
  const offer = offerIke('aes256gcm16-prfsha256-curve25519', 'aes128-sha256-modp2048');
  assert.deepEqual(
    offer.map((proposal) => proposal.number),
    [1, 2],
  );
  assert.ok(offer.every((proposal) => proposal.protocol === Protocol.IKE && proposal.spi.length === 0));
});

test('an algorithm that shares its number with another is chosen where it is the one that is configured', () => {
  const offer = offerEsp('aes128-sha256');
  const chosen = (own: string) => {
    const found = selectProposal(offer, Protocol.ESP, esp(own));
    return found && formatSuite(found.suite);
  };
  assert.equal(chosen('aes128-sha256_96'), 'aes128-sha256_96');
  assert.equal(chosen('aes128-sha256'), 'aes128-sha256');
  assert.deepEqual(offerEsp('aes128-sha256_96'), offer);
});

test('RFC 7634 §4: neither ChaCha20-Poly1305 nor 3DES nor NULL carries a key length', () => {
  for (const text of ['chacha20poly1305', '3des-sha1', 'des-sha1', 'null-sha1']) {
    const [offer] = offerEsp(text);
    assert.ok(
      offer?.transforms.every((transform) => !('keyLengthBits' in transform)),
      text,
    );
  }
});

test('RFC 7296 §3.3.5: AES carries its key length in bits', () => {
  const [offer] = offerIke('aes256gcm16-aes128gcm16-prfsha256-curve25519');
  assert.deepEqual(
    offer?.transforms.filter(({ type }) => type === TransformType.ENCR),
    [
      { type: 1, id: 20, keyLengthBits: 256 },
      { type: 1, id: 20, keyLengthBits: 128 },
    ],
  );
});

test('RFC 7296 §2.7: one combination is chosen, from the first offer that fits and by our own order in it', () => {
  const offer = offerIke(
    'aes256gcm16-prfsha512-modp2048',
    'aes128gcm16-aes256gcm16-prfsha256-prfsha384-curve25519-ecp256',
  );
  assert.equal(
    chosenIke(offer, ['aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp256-curve25519']),
    'aes256gcm16-prfsha384-ecp256',
  );
  assert.equal(chosenIke(offer, ['aes128gcm16-prfsha256-curve25519']), 'aes128gcm16-prfsha256-curve25519');
});

test('RFC 7296 §1.2: among groups that both have, the one of the KE payload saves a round', () => {
  const offer = offerIke('aes128gcm16-prfsha256-curve25519-ecp256');
  const own = ['aes128gcm16-prfsha256-ecp256-curve25519'];
  assert.equal(chosenIke(offer, own, 31), 'aes128gcm16-prfsha256-curve25519');
  assert.equal(chosenIke(offer, own, 14), 'aes128gcm16-prfsha256-ecp256');
});

test('RFC 7296 §2.7: nothing is chosen when any kind has nothing in common', () => {
  const offer = offerIke('aes128-sha256-prfsha256-curve25519');
  for (const own of [
    'aes256-sha256-prfsha256-curve25519',
    'aes128-sha512-prfsha256-curve25519',
    'aes128-sha256-prfsha384-curve25519',
    'aes128-sha256-prfsha256-ecp256',
    'aes128gcm16-prfsha256-curve25519',
  ]) {
    assert.equal(chosenIke(offer, [own]), undefined, own);
  }
});

test('RFC 7296 §3.3.6: a proposal with a transform type that is not known is passed over, others are not', () => {
  const odd = with_(offerIke('aes128gcm16-prfsha256-curve25519'), (all) => [...all, { type: 77, id: 1 }]);
  const own = ['aes128gcm16-prfsha256-curve25519'];
  assert.equal(chosenIke(odd, own), undefined);
  assert.ok(chosenIke([...odd, ...offerIke('aes128gcm16-prfsha256-curve25519')], own) !== undefined);
});

test('RFC 7296 §3.3.6: a transform with an attribute that is not known is not chosen, its sibling is', () => {
  const offer = with_(offerIke('aes128gcm16-aes256gcm16-prfsha256-curve25519'), (all) =>
    all.map((transform) =>
      transform.keyLengthBits === 128 ? { ...transform, unknownAttribute: true } : transform,
    ),
  );
  assert.equal(
    chosenIke(offer, ['aes128gcm16-aes256gcm16-prfsha256-curve25519']),
    'aes256gcm16-prfsha256-curve25519',
  );
});

test('RFC 7296 §3.3.5: AES without a key length, or with one that is none, is not chosen', () => {
  for (const keyLengthBits of [undefined, 0, 127, 512]) {
    const offer = with_(offerIke('aes128gcm16-prfsha256-curve25519'), (all) =>
      all.map((transform) => {
        if (transform.type !== TransformType.ENCR) return transform;
        const { type, id } = transform;
        return keyLengthBits === undefined ? { type, id } : { type, id, keyLengthBits };
      }),
    );
    assert.equal(chosenIke(offer, ['aes128gcm16-prfsha256-curve25519']), undefined, `${keyLengthBits}`);
  }
});

test('RFC 5282 §8: an AEAD is taken without an integrity transform or with NONE, and not with another', () => {
  const own = ['aes128gcm16-prfsha256-curve25519'];
  const offer = offerIke('aes128gcm16-prfsha256-curve25519');
  const withInteg = (id: number) => with_(offer, (all) => [...all, { type: TransformType.INTEG, id }]);
  assert.ok(chosenIke(offer, own) !== undefined);
  assert.ok(chosenIke(withInteg(0), own) !== undefined);
  assert.equal(chosenIke(withInteg(12), own), undefined);
});

test('RFC 7296 §3.3.2: forward secrecy that we do not ask for is passed over as NONE, else refused', () => {
  const pfs = offerEsp('aes128gcm16-curve25519');
  assert.equal(selectProposal(pfs, Protocol.ESP, esp('aes128gcm16')), undefined);
  const optional = with_(pfs, (all) => [...all, { type: TransformType.KE, id: 0 }]);
  assert.ok(selectProposal(optional, Protocol.ESP, esp('aes128gcm16')) !== undefined);
  assert.equal(
    selectProposal(offerEsp('aes128gcm16'), Protocol.ESP, esp('aes128gcm16-curve25519')),
    undefined,
  );
});

test('RFC 7296 §1.2: in IKE_AUTH the key exchange of a Child SA does not matter', () => {
  const chosen = selectProposal(offerEsp('aes128gcm16'), Protocol.ESP, esp('aes128gcm16-curve25519'), {
    ignoreKe: true,
  });
  assert.equal(chosen?.suite.ke, undefined);
  assert.ok(chosen !== undefined);
});

test('RFC 7296 §3.3.3: extended sequence numbers are agreed upon, and a peer that says nothing means 32 bits', () => {
  const both = selectProposal(offerEsp('aes128gcm16-noesn-esn'), Protocol.ESP, esp('aes128gcm16-esn-noesn'));
  assert.equal(both?.suite.esn?.name, 'esn');
  assert.equal(
    selectProposal(offerEsp('aes128gcm16-noesn'), Protocol.ESP, esp('aes128gcm16-esn')),
    undefined,
  );
  const silent = with_(offerEsp('aes128gcm16'), (all) =>
    all.filter(({ type }) => type !== TransformType.ESN),
  );
  const chosen = selectProposal(silent, Protocol.ESP, esp('aes128gcm16'));
  assert.equal(chosen?.suite.esn?.name, 'noesn');
  assert.ok(chosen !== undefined);
  assert.ok(!answerProposal(chosen, SPI).transforms.some(({ type }) => type === TransformType.ESN));
});

test('RFC 7296 §2.7: an offer for another protocol is not looked at', () => {
  const offer = offerProposals(Protocol.AH, SPI, esp('aes128gcm16'));
  assert.equal(selectProposal(offer, Protocol.ESP, esp('aes128gcm16')), undefined);
});

test('RFC 7296 §3.3.1: the answer is one proposal with the number it was offered under, one transform a type', () => {
  const offer = offerEsp('aes256gcm16', 'aes128gcm16-aes192gcm16-curve25519-ecp256-noesn-esn');
  const chosen = selectProposal(offer, Protocol.ESP, esp('aes192gcm16-ecp256-esn'));
  assert.ok(chosen !== undefined);
  const answer = answerProposal(chosen, Uint8Array.of(9, 9, 9, 9));
  assert.equal(answer.number, 2);
  assert.deepEqual([...answer.spi], [9, 9, 9, 9]);
  assert.deepEqual(answer.transforms, [
    { type: 1, id: 20, keyLengthBits: 192 },
    { type: 4, id: 19 },
    { type: 5, id: 1 },
  ]);
});

test('RFC 7296 §2.7: an answer is accepted only when it is one combination of what was offered', () => {
  const own = ike('aes128gcm16-aes256gcm16-prfsha256-curve25519');
  const [answer] = offerIke('aes256gcm16-prfsha256-curve25519');
  assert.ok(answer !== undefined);
  const accepts = (...all: readonly WireProposal[]) => acceptAnswer(all, Protocol.IKE, own) !== undefined;
  assert.ok(accepts(answer));
  assert.ok(!accepts());
  assert.ok(!accepts(answer, answer));
  assert.ok(!accepts({ ...answer, protocol: Protocol.ESP }));
  assert.ok(
    !accepts({ ...answer, transforms: [...answer.transforms, { type: 1, id: 20, keyLengthBits: 128 }] }),
  );
  assert.ok(
    !accepts({ ...answer, transforms: answer.transforms.filter(({ type }) => type !== TransformType.PRF) }),
  );
  assert.ok(!accepts({ ...answer, transforms: [] }));
  for (const other of [
    'aes192gcm16-prfsha256-curve25519',
    'aes256gcm16-prfsha384-curve25519',
    'aes256gcm16-prfsha256-ecp256',
  ]) {
    const [wrong] = offerIke(other);
    assert.ok(wrong !== undefined && !accepts(wrong), other);
  }
});

test('a mismatch names the closest pair and the kind that parts them', () => {
  const offer = offerIke('aes128-sha1-prfsha1-modp2048', 'aes128gcm16-prfsha256-ecp256');
  assert.deepEqual(explainMismatch(offer, ike('aes128gcm16-prfsha256-curve25519')), {
    ours: 'aes128gcm16-prfsha256-curve25519',
    theirs: 'aes128gcm16-prfsha256-ecp256',
    missing: 'ke',
  });
  const unknown: WireProposal = {
    number: 1,
    protocol: Protocol.IKE,
    spi: NO_SPI,
    transforms: [{ type: 1, id: 999 }],
  };
  assert.equal(explainMismatch([unknown], ike('aes128gcm16-prfsha256-curve25519')).theirs, 'encr:999');
  assert.equal(explainMismatch([], ike('aes128gcm16-prfsha256-curve25519')).missing, 'proposal');
});

test('which groups are offered', () => {
  const own = ike('aes128gcm16-prfsha256-curve25519', 'aes128-sha256-modp2048');
  assert.deepEqual(
    [31, 14, 19].map((id) => offersKe(own, id)),
    [true, true, false],
  );
});

test('RFC 7296 §3.3.4: only what is configured is accepted, whatever else this implementation knows', () => {
  const kinds = ['encr', 'prf', 'integ', 'ke'] as const;
  const type = { encr: 1, prf: 2, integ: 3, ke: 4 };
  const rows = (kind: (typeof kinds)[number]) => ALGORITHMS.filter((row) => row.kind === kind);
  const own = ike('aes256-sha384-prfsha384-ecp256');
  let accepted = 0;
  for (const encr of rows('encr')) {
    for (const prf of rows('prf')) {
      for (const integ of rows('integ')) {
        for (const ke of rows('ke')) {
          const transforms = [encr, prf, integ, ke].map((row, i) => ({
            type: type[kinds[i] ?? 'encr'],
            id: row.id,
            ...(row.kind === 'encr' ? { keyLengthBits: row.keyBits } : {}),
          }));
          const offer = [{ number: 1, protocol: Protocol.IKE, spi: NO_SPI, transforms }];
          const chosen = selectProposal(offer, Protocol.IKE, own);
          if (chosen === undefined) continue;
          accepted++;
          assert.equal(formatSuite(chosen.suite), 'aes256-sha384-prfsha384-ecp256');
        }
      }
    }
  }
  assert.equal(accepted, 1);
});

test('RFC 7296 §5: an IKE SA has integrity and encryption, and a PRF of 128 bits or more', () => {
  for (const row of ALGORITHMS) if (row.kind === 'prf') assert.ok(row.outputBytes >= 16, row.name);
  const own = ['aes128-sha256-prfsha256-curve25519'];
  const offer = offerIke('aes128-sha256-prfsha256-curve25519');
  const change = (kind: number, id: number) =>
    with_(offer, (all) => all.map((transform) => (transform.type === kind ? { type: kind, id } : transform)));
  assert.ok(chosenIke(offer, own) !== undefined);
  assert.equal(chosenIke(change(TransformType.INTEG, 0), own), undefined, 'integrity NONE');
  assert.equal(chosenIke(change(TransformType.ENCR, 11), own), undefined, 'ENCR_NULL');
  assert.equal(
    chosenIke(
      with_(offer, (all) => all.filter(({ type }) => type !== TransformType.INTEG)),
      own,
    ),
    undefined,
  );
});
