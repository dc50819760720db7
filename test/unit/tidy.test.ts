// The house kept in order: file sizes, forbidden words, the purity of the negotiation, the direction of imports.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Compiled, this file lies in dist/test/unit. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAX_LINES = 400;
const NOT_OURS = new Set(['node_modules', 'dist', 'build', '.git', 'coverage', 'prebuilds']);
const TEXT = /\.(ts|mjs|js|json|md|cc|cpp|h|hpp|gyp|yml|yaml|sh|conf)$/;

interface Source {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

function walk(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    if (!entry.isFile() || !TEXT.test(entry.name)) return [];
    return [{ path: path.split(sep).join('/'), text: readFileSync(join(ROOT, path), 'utf8') }];
  });
}

const TREE = walk('.');
const LIB = TREE.filter(({ path }) => path.startsWith('lib/') && path.endsWith('.ts'));
const IKE = LIB.filter(({ path }) => path.startsWith('lib/ike/'));
/** This file names what it forbids. */
const SELF = 'test/unit/tidy.test.ts';

/** `path:line: text` of every line that matches. */
function findings(sources: readonly Source[], pattern: RegExp): string[] {
  return sources
    .filter(({ path }) => path !== SELF)
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
    );
}

/** What a source imports: module names, and whether it takes types alone. */
function imports({ text }: Source): { from: string; typesOnly: boolean }[] {
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'/gm)];
  const bare = [...text.matchAll(/^import\s+'([^']+)'/gm)].map(([, from]) => ({ from, typesOnly: false }));
  const dynamic = [...text.matchAll(/\bimport\(\s*'([^']+)'/g)].map(([, from]) => ({
    from,
    typesOnly: false,
  }));
  return [
    ...statements.map(([, type, from]) => ({ from, typesOnly: type !== undefined })),
    ...bare,
    ...dynamic,
  ];
}

/** Where a relative import leads, from the repository's root. */
function target(source: Source, from: string): string {
  return relative(ROOT, join(ROOT, dirname(source.path), from))
    .split(sep)
    .join('/');
}

test('tidy: the tree is there to be looked at', () => {
  assert.ok(IKE.length > 5, `only ${IKE.length} files in lib/ike: is ${ROOT} the repository?`);
  assert.ok(IKE.some((source) => imports(source).some(({ from }) => from.endsWith('/errors.ts'))));
});

test(`tidy: no file of lib has more than ${MAX_LINES} lines`, () => {
  const long = LIB.map(({ path, text }) => [path, text.trimEnd().split('\n').length] as const);
  assert.deepEqual(
    long.filter(([, lines]) => lines > MAX_LINES),
    [],
  );
});

test('tidy: a file of lib begins by saying what lives in it', () => {
  const silent = LIB.filter(({ text }) => !/^(#!.*\n)?(\/\/|\/\*)/.test(text)).map(({ path }) => path);
  assert.deepEqual(silent, []);
});

test('tidy: nothing is left for later', () => {
  const code = TREE.filter(({ path }) => /^(lib|test|bench|examples|addon|wasm|scripts)\//.test(path));
  const later = /\b(TODO|FIXME|XXX|HACK)\b|\bplaceholder\b|\bnot (yet )?implemented\b|\bfor now\b/i;
  assert.deepEqual(findings(code, later), []);
});

test('tidy: nothing refers to folders outside the repository', () => {
  assert.deepEqual(findings(TREE, /(\.\.\/|\/work\/)shared\b/), []);
});

test('tidy: no package registry is named', () => {
  const hosts = /\bregistry\.[\w-]+\.(org|com|net)\b|\b(deb|ftp|pkgs)\.[\w-]+\.(org|com)\b/;
  assert.deepEqual(findings(TREE, hosts), []);
});

test('tidy: the negotiation is pure: lib/ike imports no Node module and no package', () => {
  const impure = IKE.flatMap((source) =>
    imports(source)
      .filter(({ from }) => !from.startsWith('.'))
      .map(({ from }) => `${source.path} imports ${from}`),
  );
  assert.deepEqual(impure, []);
});

test('tidy: the negotiation is pure: lib/ike has no clock, timer, chance or process of its own', () => {
  const calls =
    /\b(Date\.now|new Date\b|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|process\.|crypto\.getRandomValues|globalThis|require\()/;
  const code = IKE.map(({ path, text }) => ({ path, text: text.replace(/\/\/.*$/gm, '') }));
  assert.deepEqual(findings(code, calls), []);
});

test('tidy: imports point downwards', () => {
  /** A folder, and what it must not know. A type alone is knowledge too. */
  const above: readonly (readonly [string, RegExp])[] = [
    ['lib/ike/', /^lib\/(control\/|gateway|index)/],
    ['lib/auth/', /^lib\/(control\/|gateway|index|ipsec\/)/],
    ['lib/crypto/', /^lib\/(control\/|gateway|index|ike\/|auth\/|ipsec\/|config\/)/],
    ['lib/ipsec/', /^lib\/(control\/|gateway|index|auth\/)/],
    ['lib/net/', /^lib\/(control\/|gateway|index|auth\/|config\/)/],
    ['lib/config/', /^lib\/(control\/|gateway|index)/],
    ['lib/', /^(test|bench|examples|scripts)\//],
  ];
  const upwards = LIB.flatMap((source) =>
    imports(source)
      .map(({ from }) => (from.startsWith('.') ? target(source, from) : from))
      .filter((to) =>
        above.some(([folder, forbidden]) => source.path.startsWith(folder) && forbidden.test(to)),
      )
      .map((to) => `${source.path} imports ${to}`),
  );
  assert.deepEqual(upwards, []);
});

test('tidy: inside lib/ike/wire bytes are read without knowing what they are for', () => {
  const allowed = /^lib\/(ike\/wire\/|bytes\.ts|errors\.ts|ipsec\/selector\.ts)/;
  const knowing = IKE.filter(({ path }) => path.startsWith('lib/ike/wire/')).flatMap((source) =>
    imports(source)
      .map(({ from }) => target(source, from))
      .filter((to) => !allowed.test(to))
      .map((to) => `${source.path} imports ${to}`),
  );
  assert.deepEqual(knowing, []);
});

test('tidy: no module of lib is dead', () => {
  const entries = new Set(['lib/index.ts', 'lib/control/cli.ts']);
  const code = TREE.filter(({ path }) => path.endsWith('.ts'));
  const used = new Set(
    code.flatMap((source) => {
      // A worker is named by its URL.
      const workers = [...source.text.matchAll(/new URL\(\s*'([^']+)'/g)].map(([, from]) =>
        from.replace(/\.js$/, '.ts'),
      );
      return [...imports(source).map(({ from }) => from), ...workers].map((from) => target(source, from));
    }),
  );
  const dead = LIB.map(({ path }) => path).filter((path) => !entries.has(path) && !used.has(path));
  assert.deepEqual(dead, []);
});

test('tidy: a default export is nowhere', () => {
  const code = TREE.filter(({ path }) => /^(lib|test|bench|examples)\/.*\.ts$/.test(path));
  assert.deepEqual(findings(code, /^export default\b/), []);
});
