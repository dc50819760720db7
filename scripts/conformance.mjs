// The conformance report: for each RFC that ike-native claims, every section that holds a MUST, SHALL or REQUIRED, with the
// tests whose names cite it, or the word GAP. A test cites by the beginning of its name:
//
//   RFC 7296 §2.8.1: ...      RFC 5282 §5.1, RFC 7296 §3.14: ...      RFC 7296 §2.5 §3.2: ...      RFC 7296 Appendix C: ...
//
// A citation stands for that very section, not for those above or below it. Names are read from the sources: every string of
// test/**/*.test.ts and test/**/*.test.cc that begins like this counts, so that tables of cases are seen too.
//
//   node scripts/conformance.mjs [--gaps] [--json] [--root DIR]     exit code 1: a citation names a section that is not there

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    gaps: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    root: { type: 'string', default: fileURLToPath(new URL('..', import.meta.url)) },
  },
});

const NAME = /(['"`])(RFC \d+ (?:§|Appendix )(?:(?!\1)[^\n\\]|\\.)*)\1/g;
const CITATION = /^RFC (\d+) ((?:(?:§|Appendix )[0-9A-Z.]*[0-9A-Z](?: and |, | )?)+)/;
const MAX_NAME = 100;

const report = makeReport(options.root);
if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
else print(report, options.gaps);
process.exitCode = report.unknown.length > 0 ? 1 : 0;

function makeReport(root) {
  const cited = readCitations(join(root, 'test'), root);
  const folder = join(root, 'test/conformance');
  const unknown = [];
  const files = readdirSync(folder).filter((file) => /^rfc\d+\.json$/.test(file));
  const numbers = files.map((file) => Number(file.slice(3, -5))).sort((a, b) => a - b);
  const rfcs = numbers.map((rfc) => {
    const sections = JSON.parse(readFileSync(join(folder, `rfc${rfc}.json`), 'utf8'));
    const known = new Set(sections.map(({ section }) => section));
    const citations = cited.filter((citation) => citation.rfc === rfc);
    unknown.push(...citations.filter(({ section }) => !known.has(section)));
    return {
      rfc,
      sections: sections
        .filter(({ musts }) => musts > 0)
        .map((row) => ({
          ...row,
          tests: citations
            .filter(({ section }) => section === row.section)
            .map(({ file, name }) => ({ file, name })),
        })),
    };
  });
  return { rfcs, unknown };
}

/** Every citation in the test sources: `{ rfc, section, name, file }`. */
function readCitations(folder, root) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return readCitations(path, root);
    if (!/\.test\.(ts|cc)$/.test(entry.name)) return [];
    const file = relative(root, path);
    return [...readFileSync(path, 'utf8').matchAll(NAME)].flatMap(([, , name]) =>
      sectionsOf(name).map((citation) => ({ ...citation, name, file })),
    );
  });
}

/** The sections that the beginning of a name cites; other RFCs may follow after a comma. */
function sectionsOf(name) {
  const found = [];
  let rest = name;
  for (let match = CITATION.exec(rest); match !== null; match = CITATION.exec(rest)) {
    const [whole, rfc, list] = match;
    for (const [, section] of list.matchAll(/(?:§|Appendix )([0-9A-Z.]*[0-9A-Z])/g))
      found.push({ rfc: Number(rfc), section });
    rest = rest.slice(whole.length);
  }
  return found;
}

function print({ rfcs, unknown }, gapsOnly) {
  const lines = [];
  for (const { rfc, sections } of rfcs) {
    const proved = sections.filter(({ tests }) => tests.length > 0).length;
    lines.push('', `RFC ${rfc}: ${proved} of ${sections.length} sections with a rule are cited by a test`);
    for (const { section, title, musts, tests } of sections) {
      if (gapsOnly && tests.length > 0) continue;
      const place = /^[A-Z]$/.test(section) ? `Appendix ${section}` : `§${section}`;
      lines.push(
        `  ${place}  ${title} (${musts} ${musts === 1 ? 'rule' : 'rules'})${tests.length === 0 ? '  GAP' : ''}`,
      );
      for (const { name } of tests)
        lines.push(`      ${name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}...` : name}`);
    }
  }
  const all = rfcs.flatMap(({ sections }) => sections);
  const proved = all.filter(({ tests }) => tests.length > 0).length;
  lines.push('', `Together: ${proved} of ${all.length} sections, ${all.length - proved} GAP`);
  for (const { rfc, section, name, file } of unknown)
    lines.push(`UNKNOWN: RFC ${rfc} §${section} in ${file}: ${name}`);
  process.stdout.write(`${lines.slice(1).join('\n')}\n`);
}
