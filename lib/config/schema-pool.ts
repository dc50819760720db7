// The rows of a pool: addresses for remote peers, and what they are told beside theirs.

import { z } from 'zod';
import { address, list, selector } from './notation.ts';
import { derived, row, validator } from './option.ts';
import { networkText } from './pool.ts';

export const pool = z.strictObject({
  addresses: row(validator(list(selector, 64)), {
    doc: 'Networks and ranges of one address family. The first and the last address of a whole IPv4 network are left out, the first of an IPv6 one.',
    expected: list(selector, 64).expected,
  }),
  dns: derived(list(address(), 16), 'none', 'Name servers.'),
  nbns: derived(list(address(), 16), 'none', 'NetBIOS name servers (IPv4).'),
  splitInclude: derived(
    list(selector, 64),
    'everything',
    'Networks (IPv4) that the peer should send through the tunnel; Unity clients ask for them.',
  ),
  splitExclude: derived(
    list(selector, 64),
    'none',
    'Networks (IPv4) that the peer should not send through the tunnel; Unity clients ask for them.',
  ),
  banner: derived(networkText(1024), 'none', 'What a Unity client shows when it is connected.'),
  defaultDomain: derived(networkText(255), 'none', 'The domain for names without one (Unity).'),
});
