// docs/configuration.md from the table of options: walks schema.ts and writes one line an option.
// `npm run docs` writes the file; a test fails while the file differs from what this makes.

import type { z } from 'zod';
import { ALGORITHMS } from '../crypto/algorithms.ts';
import { options } from './option.ts';
import { unwrap } from './parse.ts';
import { configSchema } from './schema.ts';

const KINDS = {
  encr: 'Ciphers',
  integ: 'Integrity',
  prf: 'PRF (IKE)',
  ke: 'Key exchange',
  esn: 'Sequence numbers (ESP)',
};

/** The whole reference as Markdown. */
export function configReference(): string {
  const lines = [
    '# Configuration',
    '',
    '<!-- Made by `npm run docs` from lib/config/schema.ts; do not edit. -->',
    '',
    'What `createGateway(config)` and `ike-native run --config FILE` take. Unknown options are refused. Times are seconds',
    '(a number) or text with a unit: `500ms`, `90s`, `30m`, `4h`, `1d`. `NAME` stands for a name that you choose: up to 64',
    'letters, digits, `.`, `_` and `-`.',
    '',
  ];
  writeObject(lines, '', configSchema, '');
  lines.push('## Proposals', '');
  lines.push(
    'Algorithm names joined by `-`, as in swanctl.conf; several of one kind are alternatives, best first. AEAD ciphers (`gcm`)',
    'take no integrity algorithm; a PRF that is left out follows from the integrity algorithm. Other spellings, such as',
    '`x25519` for `curve25519`, are understood.',
    '',
    '| kind | names |',
    '|---|---|',
  );
  for (const [kind, title] of Object.entries(KINDS)) {
    const names = ALGORITHMS.filter((row) => row.kind === kind).map((row) => `\`${row.name}\``);
    lines.push(`| ${title} | ${names.join(' ')} |`);
  }
  lines.push(
    '',
    'ML-KEM (`mlkem512`, `mlkem768`, `mlkem1024`) is in no default proposal. It stands in the place of `curve25519` or another group, not',
    'beside it. IKE_SA_INIT cannot be fragmented by IKE: with `mlkem768` it has 1,352 bytes with one proposal of one cipher and 1,492 with',
    'the default ones beside it, with `mlkem1024` at least 1,736. Beyond the path MTU it goes as IP fragments, which some networks drop.',
    '',
    '## Identities',
    '',
    '`192.0.2.1` or `2001:db8::1` (address), `hq.example.com` (FQDN), `alice@example.com` (email), `keyid:text` or',
    '`keyid:0x00ff` (opaque octets). `fqdn:` and `email:` in front force the type; `#TYPE:HEX` gives any other one.',
    '',
  );
  return lines.join('\n');
}

function writeObject(lines: string[], path: string, schema: z.core.$ZodType, doc: string): void {
  const inner = unwrap(schema);
  if (inner?._zod.def.type !== 'object') throw new TypeError(`${path} is not a group of options`);
  const shape = (inner._zod.def as z.core.$ZodObjectDef).shape;
  const groups: [string, z.core.$ZodType, string][] = [];
  const rows: string[] = [];
  for (const [key, field] of Object.entries(shape)) {
    const meta = options.get(field);
    if (meta === undefined) throw new TypeError(`${path}${key} has no sentence in the table of options`);
    const definition = unwrap(field)?._zod.def;
    if (definition?.type === 'object') groups.push([`${path}${key}.`, field, meta.doc]);
    else if (definition?.type === 'record')
      groups.push([`${path}${key}.NAME.`, (definition as z.core.$ZodRecordDef).valueType, meta.doc]);
    else
      rows.push(
        `| \`${key}\` | ${cell(meta.expected)} | ${defaultCell(meta.byDefault)} | ${cell(meta.doc)} |`,
      );
  }
  lines.push(`## ${path === '' ? 'Top level' : `\`${path.slice(0, -1)}\``}`, '');
  if (doc !== '') lines.push(doc, '');
  if (rows.length > 0) lines.push('| option | value | default | meaning |', '|---|---|---|---|', ...rows, '');
  for (const [groupPath, group, groupDoc] of groups) writeObject(lines, groupPath, group, groupDoc);
}

function defaultCell(text = ''): string {
  // Defaults that are written as JSON are code; rules are words.
  const json = /^(?:["[\d]|true$|false$)/.test(text);
  return json ? `\`${text.replaceAll('|', '\\|')}\`` : cell(text);
}

function cell(text = ''): string {
  return text.replaceAll('|', '\\|');
}
