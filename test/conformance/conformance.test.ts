// The conformance report itself: it finds what is cited, says GAP where nothing is, and no test cites a section that is not there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Compiled, this file lies in dist/test/conformance. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function report(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(ROOT, 'scripts/conformance.mjs'), ...args], { encoding: 'utf8' });
}

/** A repository of one RFC and one test source; `use` gets its folder. */
function withTree(testSource: string, use: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'ike-native-conformance-'));
  try {
    mkdirSync(join(root, 'test/conformance'), { recursive: true });
    const sections = [
      { section: '1', title: 'Words', musts: 0 },
      { section: '2.1', title: 'Deeds', musts: 2 },
      { section: '2.1.1', title: 'More deeds', musts: 1 },
      { section: 'A', title: 'Appended', musts: 1 },
    ];
    writeFileSync(join(root, 'test/conformance/rfc9999.json'), JSON.stringify(sections));
    writeFileSync(join(root, 'test/some.test.ts'), testSource);
    use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test('conformance: a section is cited by the beginning of a test’s name, and otherwise a GAP', () => {
  withTree("test('RFC 9999 §2.1: it holds', () => {});", (root) => {
    const { status, stdout } = report('--root', root);
    assert.equal(status, 0);
    assert.match(stdout, /RFC 9999: 1 of 3 sections/);
    assert.match(stdout, /§2\.1 {2}Deeds \(2 rules\)\n {6}RFC 9999 §2\.1: it holds/);
    assert.match(stdout, /§2\.1\.1 {2}More deeds \(1 rule\) {2}GAP/);
    assert.match(stdout, /Appendix A {2}Appended \(1 rule\) {2}GAP/);
    assert.doesNotMatch(stdout, /Words/);
  });
});

test('conformance: one name may cite several sections, several RFCs and appendices', () => {
  withTree('test(`RFC 1 §7, RFC 9999 §2.1 §2.1.1, RFC 9999 Appendix A: all`, () => {});', (root) => {
    const { status, stdout } = report('--root', root);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /RFC 9999: 3 of 3 sections/);
    assert.doesNotMatch(stdout, /\) {2}GAP/);
  });
});

test('conformance: what a name mentions further on is no citation', () => {
  withTree("test('it holds as RFC 9999 §2.1: says', () => {});", (root) => {
    assert.match(report('--root', root).stdout, /RFC 9999: 0 of 3 sections/);
  });
});

test('conformance: --gaps leaves out what is cited', () => {
  withTree("test('RFC 9999 §2.1: it holds', () => {});", (root) => {
    const { stdout } = report('--root', root, '--gaps');
    assert.doesNotMatch(stdout, /Deeds \(2/);
    assert.match(stdout, /More deeds .* GAP/);
  });
});

test('conformance: a citation of a section that is not there is reported and fails', () => {
  withTree("test('RFC 9999 §2.7: it holds', () => {});", (root) => {
    const { status, stdout } = report('--root', root);
    assert.equal(status, 1);
    assert.match(stdout, /UNKNOWN: RFC 9999 §2\.7/);
  });
});

test('conformance: no test of ours cites a section that is not there', () => {
  const { status, stdout, stderr } = report('--json');
  const { rfcs, unknown } = JSON.parse(stdout);
  assert.deepEqual(unknown, []);
  assert.equal(status, 0, stderr);
  assert.ok(rfcs.length >= 10, `only ${rfcs.length} RFCs in test/conformance`);
});
