// The WASM module as a thing: found or explained, alone in the world, of a fixed size.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { wasm, wasmModule } from '../../lib/crypto/wasm.ts';
import { SystemError } from '../../lib/errors.ts';

for (const [what, file] of [
  ['missing', new URL('./no-such.wasm', import.meta.url)],
  ['no WASM', pathToFileURL(process.execPath)],
] as const)
  test(`a module that is ${what} is a SystemError ERR_IKE_WASM that tells the file and the remedy`, () => {
    assert.throws(
      () => wasmModule(file),
      (error) => {
        assert.ok(error instanceof SystemError);
        assert.equal(error.code, 'ERR_IKE_WASM');
        assert.ok(error.message.includes(file.pathname));
        assert.match(error.message, /npm run build:wasm/);
        return true;
      },
    );
  });

test('one module and one instance serve every createCrypto() of a thread', () => {
  createCrypto();
  const first = wasm();
  createCrypto();
  assert.equal(wasm(), first);
  assert.equal(wasmModule(), wasmModule());
});

test('the buffers lie one behind the other inside the memory', () => {
  const { at, bytes } = wasm();
  assert.ok(at.KEY > 0);
  assert.ok(at.KEY + at.KEY_MAX <= at.IV);
  assert.ok(at.OUT + at.OUT_MAX <= at.SCALAR);
  assert.ok(255 * 64 <= at.OUT_MAX);
  assert.ok(at.SCALAR < at.PEER && at.PEER + 256 <= at.RESULT && at.RESULT + 256 <= at.DATA - 64);
  assert.ok(at.DATA + at.DATA_MAX < bytes.length);
});
