// Builds stand-alone programs from the addon's sources, those of binding.gyp without addon/napi: the tests of test/native/ and the
// fuzz targets of test/native/fuzz/. Objects lie in build/native/FLAVOUR/, and make brings them up to date. OpenSSL is Debian's
// libcrypto with the headers that come with Node.
//
//   node scripts/native.mjs PROGRAM FLAVOUR      prints the program's path; status 3: something is missing, which it says
//
// PROGRAM: `tests`, or a fuzz target's name. FLAVOUR: a row of FLAVOURS.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const WARNINGS = ['-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror'];
const SANITIZED = ['-O1', '-g1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'];

/** How programs are built. `link` comes after the same flags. */
export const FLAVOURS = {
  plain: { compiler: 'g++', flags: ['-O1', '-g1', ...WARNINGS], link: [] },
  asan: { compiler: 'g++', flags: [...SANITIZED, '-fsanitize=address,undefined'], link: [] },
  tsan: { compiler: 'g++', flags: [...SANITIZED, '-fsanitize=thread'], link: [] },
  /** libFuzzer brings `main`. */
  fuzzer: {
    compiler: 'clang++-14',
    flags: [...SANITIZED, '-fsanitize=fuzzer-no-link,address,undefined'],
    link: ['-fsanitize=fuzzer'],
  },
};

/** What a machine lacks for this; a skip, not a failure. */
export class Missing extends Error {}

/** The fuzz targets' names. */
export function fuzzTargets() {
  return readdirSync(join(root, 'test/native/fuzz'))
    .filter((name) => name.endsWith('.cc') && name !== 'driver.cc')
    .map((name) => basename(name, '.cc'))
    .sort();
}

/** Builds what is not there; the path of the program. */
export function buildProgram(program, flavour) {
  const { compiler, flags, link } = FLAVOURS[flavour];
  if (spawnSync(compiler, ['--version'], { stdio: 'ignore' }).status !== 0)
    throw new Missing(`needs ${compiler}: apt-get install ${compiler === 'g++' ? 'g++' : 'clang-14'}`);
  const folder = join('build/native', flavour);
  mkdirSync(join(root, folder), { recursive: true });
  const compile = [
    compiler,
    ...['-std=c++20', '-pthread', '-Iaddon', '-Itest/native', '-isystem', quote(nodeHeaders()), ...flags],
  ].join(' ');
  const sources = sourcesOf(program, flavour);
  const objectOf = (source) => join(folder, `${source.replaceAll('/', '_')}.o`);
  const objects = sources.map(objectOf).join(' ');
  const result = join(folder, program);
  // What all objects of the flavour depend on, whichever program they are for.
  const flagsFile = join(folder, 'flags');
  writeWhenOther(join(root, flagsFile), compile);
  const makefile = join(folder, `${program}.mk`);
  const rules = [
    `${result}: ${objects}`,
    `\t${[compiler, ...flags, ...link].join(' ')} -pthread -o $@ $^ -l:libcrypto.so.3`,
    ...sources.flatMap((source) => [
      `${objectOf(source)}: ${source} ${flagsFile}`,
      `\t${compile}${source.startsWith('addon/') ? ' -fno-exceptions' : ''} -MMD -MP -c -o $@ $<`,
    ]),
    `-include ${sources.map((source) => objectOf(source).replace(/o$/, 'd')).join(' ')}`,
  ];
  writeWhenOther(join(root, makefile), `${rules.join('\n')}\n`);
  make(makefile, result);
  return join(root, result);
}

/** One list of the addon's sources for both builds. */
function sourcesOf(program, flavour) {
  const gyp = readFileSync(join(root, 'binding.gyp'), 'utf8');
  const addon = [...gyp.matchAll(/'(addon\/[^']+\.cc)'/g)]
    .map(([, path]) => path)
    .filter((path) => !path.startsWith('addon/napi/'));
  if (program !== 'tests') {
    const driver = flavour === 'fuzzer' ? [] : ['test/native/fuzz/driver.cc'];
    return [...addon, `test/native/fuzz/${program}.cc`, ...driver];
  }
  const tests = readdirSync(join(root, 'test/native')).filter((name) => name.endsWith('.test.cc'));
  return [...addon, 'test/native/main.cc', ...tests.sort().map((name) => `test/native/${name}`)];
}

function nodeHeaders() {
  const places = [
    join(dirname(dirname(process.execPath)), 'include/node'),
    join(homedir(), '.cache/node-gyp', process.versions.node, 'include/node'),
    '/usr/include/node',
    '/usr/include',
  ];
  const found = places.find((folder) => existsSync(join(folder, 'openssl/evp.h')));
  if (found === undefined)
    throw new Missing("needs OpenSSL's headers: they come with Node, or apt-get install libssl-dev");
  return found;
}

/** For make and the shell. */
function quote(path) {
  return `'${path.replaceAll("'", "'\\''").replaceAll('$', '$$$$')}'`;
}

function writeWhenOther(path, text) {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

function make(makefile, target) {
  const args = ['-s', '-j', String(availableParallelism()), '-f', makefile, target];
  const { status, stderr, error } = spawnSync('make', args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 400_000,
  });
  if (status === 0) return;
  if (/cannot find -l:libcrypto/.test(stderr))
    throw new Missing('needs libcrypto.so.3: apt-get install libssl3');
  throw new Error(`building ${target} failed:\n${stderr || error?.message}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(buildProgram(process.argv[2], process.argv[3]));
  } catch (error) {
    console.error(error.message);
    process.exitCode = error instanceof Missing ? 3 : 1;
  }
}
