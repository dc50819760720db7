// Makes test/conformance/rfcNNNN.json from the texts of the RFCs: which sections there are, and how many times each says
// MUST, SHALL or REQUIRED. Only numbers and titles are taken over, no sentence.
//
//   node scripts/conformance-sections.mjs DIR [NUMBER ...]     DIR holds rfcNNNN.txt; without numbers: the ones claimed

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The RFCs that ike-native says it holds to. */
const CLAIMED = [3602, 3948, 4106, 4301, 4303, 4754, 4868, 5282, 5903, 7296, 7427, 8031, 8420];
const TARGET = fileURLToPath(new URL('../test/conformance/', import.meta.url));

const HEADING = /^(?:Appendix ([A-Z])[.:]?|(\d+(?:\.\d+)*|[A-Z](?:\.\d+)+)\.?) {1,4}(\S.*)$/;
/** A page's foot and head: `Kaufman, et al.  Standards Track  [Page 80]`, `RFC 7296  IKEv2bis  October 2014`. */
const PAGE = /^(?:\S.*\[Page \d+\]|RFC \d+ .*\d{4})$/;
const RULE = /\b(?:MUST|SHALL|REQUIRED)\b/g;

const [folder, ...numbers] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: conformance-sections.mjs DIR [NUMBER ...]\n');
  process.exit(2);
}
for (const number of numbers.length > 0 ? numbers.map(Number) : CLAIMED) {
  const path = join(folder, `rfc${number}.txt`);
  if (!existsSync(path)) {
    process.stderr.write(`RFC ${number}: no text in ${folder}, left out\n`);
    continue;
  }
  const sections = readSections(readFileSync(path, 'utf8'));
  const rows = sections.map((section) => `  ${JSON.stringify(section)}`);
  writeFileSync(join(TARGET, `rfc${number}.json`), `[\n${rows.join(',\n')}\n]\n`);
  const holding = sections.filter(({ musts }) => musts > 0).length;
  process.stdout.write(`RFC ${number}: ${sections.length} sections, ${holding} with a rule\n`);
}

/** The sections in order; what stands before the first one is not looked at. */
function readSections(text) {
  const paragraphs = text
    .split(/\r?\n/)
    .map((line) => line.replaceAll('\f', '').trimEnd())
    .filter((line) => !PAGE.test(line))
    .join('\n')
    .split(/\n{2,}/);
  const sections = [];
  for (const paragraph of paragraphs) {
    const [first, ...rest] = paragraph.replace(/^\n+/, '').split('\n');
    const heading = HEADING.exec(first);
    // A title goes on in the lines right below it.
    if (heading !== null)
      sections.push({
        section: heading[1] ?? heading[2],
        title: [heading[3], ...rest].map((line) => line.trim()).join(' '),
        musts: 0,
      });
    else if (sections.length > 0 && !definesKeyWords(paragraph))
      sections[sections.length - 1].musts += paragraph.match(RULE)?.length ?? 0;
  }
  return sections;
}

/** The paragraph that says how the words are meant is no rule: it names them all. */
function definesKeyWords(paragraph) {
  return /^\s*The key ?words\b/.test(paragraph);
}
