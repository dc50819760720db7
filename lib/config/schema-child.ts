// The rows of a child.

import { z } from 'zod';
import { duration, flag, integer, list, oneOf, proposal, selector, size } from './notation.ts';
import { derived, option } from './option.ts';
import { DEFAULT_ESP_PROPOSALS } from './proposal.ts';
import { kernelRows } from './schema-kernel.ts';

const day = 86_400_000;
/** The largest volumes that may be configured. */
export const MOST_TIB = 1024;
export const MOST_PACKETS = 1_000_000_000_000;

export const child = z.strictObject({
  localTs: option(list(selector, 64, 0), [], 'Traffic selectors of our side. Empty: our outer address.'),
  remoteTs: option(
    list(selector, 64, 0),
    [],
    "Traffic selectors of the peer's side. Empty: its outer address.",
  ),
  mode: option(
    oneOf('tunnel', 'transport', 'pass', 'drop'),
    'tunnel',
    'Encapsulation. `transport` keeps the header of the packet: selectors are cut to the two outer addresses, and where the peer answers with tunnel mode it is that. `pass` lets traffic past the tunnel in clear, `drop` drops it; neither is negotiated nor has SAs, and only `localTs`, `remoteTs` and `start` go with them.',
  ),
  espProposals: derived(
    list(proposal('esp'), 16),
    JSON.stringify(DEFAULT_ESP_PROPOSALS),
    'ESP proposals, best first. With a key exchange in them the child is rekeyed with forward secrecy (PFS).',
  ),
  ahProposals: derived(
    list(proposal('ah'), 16),
    'none',
    'AH proposals, best first, in place of `espProposals`: packets are authenticated and not encrypted. With IKEv1 both may stand together, and AH goes around ESP. Not through a NAT.',
  ),
  start: derived(
    oneOf('none', 'start', 'trap'),
    '`trap` with `mode: "pass"` or `"drop"`, else `none`',
    '`start` brings the child up and keeps it up; `trap` brings it up when a packet asks; `none` waits for the peer or for `gateway.initiate()`. With `pass` and `drop` both `start` and `trap` install the policy.',
  ),
  rekeyTime: derived(duration(0, 30 * day), '"1h"', 'The child is rekeyed after this time; 0 never.'),
  rekeyJitter: derived(
    duration(0, 30 * day),
    'a tenth of `rekeyTime`',
    'A random part of this is taken off `rekeyTime`, so that both sides rarely rekey at once.',
  ),
  lifeTime: derived(
    duration(0, 60 * day),
    '`rekeyTime` and a tenth; 0 without rekeying',
    'The child ends after this time if it was not rekeyed; 0 never.',
  ),
  rekeyBytes: derived(
    size(MOST_TIB),
    '0',
    'The child is rekeyed when either direction has carried this much; 0 never.',
  ),
  randBytes: derived(
    size(MOST_TIB),
    'a tenth of `rekeyBytes`',
    'A random part of this is taken off `rekeyBytes`.',
  ),
  lifeBytes: derived(
    size(MOST_TIB),
    '`rekeyBytes` and a tenth; 0 without',
    'The child ends when either direction has carried this much; 0 never.',
  ),
  rekeyPackets: derived(
    integer(0, MOST_PACKETS),
    '0',
    'The child is rekeyed when either direction has carried so many packets; 0 never.',
  ),
  randPackets: derived(
    integer(0, MOST_PACKETS),
    'a tenth of `rekeyPackets`',
    'A random part of this is taken off `rekeyPackets`.',
  ),
  lifePackets: derived(
    integer(0, MOST_PACKETS),
    '`rekeyPackets` and a tenth; 0 without',
    'The child ends when either direction has carried so many packets; 0 never.',
  ),
  dpdAction: derived(
    oneOf('clear', 'trap', 'restart'),
    '`restart` with `start: "start"`, `trap` with `start: "trap"`, else `clear`',
    'What becomes of the child when the peer is dead.',
  ),
  closeAction: derived(
    oneOf('none', 'trap', 'start'),
    'as `start`',
    'What becomes of the child when the peer deletes it.',
  ),
  replayWindow: derived(
    integer(0, 65536),
    '1024',
    'Packets that may come out of order; 0 turns replay protection off.',
  ),
  tfcPadding: derived(
    integer(0, 65535),
    '0',
    'Inner packets are padded up to this many bytes, so that their lengths tell less (RFC 4303 §2.7); not to a peer that cannot read it. ESP in tunnel mode only.',
  ),
  copyDscp: derived(
    oneOf('out', 'in', 'yes', 'no'),
    '"out"',
    'Copies the DSCP from the inner to the outer header (`out`), back (`in`), both or neither. Tunnel mode only; the portable plane sees no outer header and refuses `in` and `yes`.',
  ),
  copyEcn: derived(
    flag,
    'true',
    'ECN goes from the inner to the outer header and back (RFC 6040); `false`: neither. Tunnel mode only.',
  ),
  ...kernelRows,
});
