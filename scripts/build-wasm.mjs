// `npm run build:wasm`: each folder of wasm/ with an index.ts (AssemblyScript) becomes dist/wasm/FOLDER.wasm, a module without runtime,
// collector or imports. Its memory has a fixed size: the folder's layout.ts says what lies where, and the compiler's own
// constants come behind that.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'dist/wasm');
const PAGE_BYTES = 65536;
/** For the compiler's constants, where layout.ts says nothing of CONSTANT_BYTES. */
const CONSTANT_BYTES = 32768;

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const name of readdirSync(join(root, 'wasm'))) {
  if (existsSync(join(root, 'wasm', name, 'index.ts'))) build(name);
}

function build(name) {
  const file = join(target, `${name}.wasm`);
  const layout = readFileSync(join(root, 'wasm', name, 'layout.ts'), 'utf8');
  const reserved = Number(/RESERVED: usize = (0x[0-9a-f]+)/.exec(layout)[1]);
  const constants = Number(/CONSTANT_BYTES: usize = (0x[0-9a-f]+)/.exec(layout)?.[1] ?? CONSTANT_BYTES);
  const pages = String(Math.ceil((reserved + constants) / PAGE_BYTES));
  const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');
  const { status } = spawnSync(
    process.execPath,
    [
      asc,
      `wasm/${name}/index.ts`,
      ...['--outFile', file, '-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd'],
      // v128 is passed between our own functions only.
      ...['--disableWarning', '112'],
      ...['--memoryBase', String(reserved), '--initialMemory', pages, '--maximumMemory', pages],
    ],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(file)));
  if (imports.length > 0) {
    console.error(`${name}.wasm must stand alone, but imports ${imports.map((one) => one.name).join(', ')}`);
    process.exit(1);
  }
}
