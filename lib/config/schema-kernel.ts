// The rows of a child that only a kernel's data plane has a use for, with swanctl's names. No row has a default: what is not written is
// not asked for.

import { flag, integer, mark, oneOf } from './notation.ts';
import { derived } from './option.ts';

const NEEDS = '(`xfrm`).';

export const kernelRows = {
  ifIdIn: derived(
    integer(1, 0xffffffff),
    'none',
    `Interface id of inbound policies and SA: they belong to the xfrm interface with this id ${NEEDS}`,
  ),
  ifIdOut: derived(integer(1, 0xffffffff), 'none', `Interface id of outbound policies and SA ${NEEDS}`),
  markIn: derived(
    mark,
    'none',
    `Mark that packets must have for the inbound policies; the SA takes them with any, see \`markInSa\` ${NEEDS}`,
  ),
  markOut: derived(mark, 'none', `Mark that packets must have for the outbound policies and SA ${NEEDS}`),
  markInSa: derived(
    flag,
    'false',
    `Whether the inbound SA, too, takes only packets with \`markIn\` ${NEEDS}`,
  ),
  setMarkIn: derived(mark, 'none', `Mark that packets get when they were decrypted ${NEEDS}`),
  setMarkOut: derived(mark, 'none', `Mark that encrypted packets get ${NEEDS}`),
  hwOffload: derived(
    oneOf('no', 'auto', 'yes'),
    '"no"',
    `Whether the network device encrypts: \`auto\` where it can, \`yes\` or there is no SA ${NEEDS}`,
  ),
};
