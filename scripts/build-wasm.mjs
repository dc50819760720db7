// `npm run build:wasm`: wasm/ (AssemblyScript) to dist/wasm/crypto.wasm, one module without runtime, collector or imports.
// Its memory has a fixed size: wasm/layout.ts says what lies where, and the compiler's own constants come behind that.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'dist/wasm/crypto.wasm');
/** 64 KiB each: the reserved part of layout.ts, and one for constants. */
const PAGES = 4;
const reserved = Number(
  /RESERVED: usize = (0x[0-9a-f]+)/.exec(readFileSync(join(root, 'wasm/layout.ts'), 'utf8'))[1],
);

mkdirSync(dirname(target), { recursive: true });
rmSync(target, { force: true });
const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');
const { status } = spawnSync(
  process.execPath,
  [
    asc,
    'wasm/index.ts',
    ...['--outFile', target, '-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd'],
    // v128 is passed between our own functions only.
    ...['--disableWarning', '112'],
    ...['--memoryBase', String(reserved), '--initialMemory', String(PAGES), '--maximumMemory', String(PAGES)],
  ],
  { cwd: root, stdio: 'inherit' },
);
if (status !== 0) process.exit(status ?? 1);
const module = new WebAssembly.Module(readFileSync(target));
const imports = WebAssembly.Module.imports(module);
if (imports.length > 0) {
  console.error(`crypto.wasm must stand alone, but imports ${imports.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
