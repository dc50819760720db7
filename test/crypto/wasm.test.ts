// The WASM module as a thing: found or explained, alone in the world, of a fixed size.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import { compile, wasm, wasmModule } from '../../lib/crypto/wasm.ts';
import { SystemError } from '../../lib/errors.ts';

for (const [what, file] of [
  ['missing', new URL('./no-such.wasm', import.meta.url)],
  ['no WASM', pathToFileURL(process.execPath)],
] as const)
  test(`a module that is ${what} is a SystemError ERR_IKE_WASM that tells the file and the remedy`, () => {
    assert.throws(
      () => compile(file),
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
  const first = wasm('symmetric');
  createCrypto();
  assert.equal(wasm('symmetric'), first);
  assert.equal(wasmModule('symmetric'), wasmModule('symmetric'));
});

test('the buffers lie one behind the other inside the memory', () => {
  const { at, bytes } = wasm('symmetric');
  assert.ok(at.KEY > 0);
  assert.ok(at.KEY + at.KEY_MAX <= at.IV);
  assert.ok(255 * 64 <= at.OUT_MAX && at.OUT + at.OUT_MAX <= at.DATA - 64);
  assert.ok(at.DATA + at.DATA_MAX <= at.RESERVED && at.RESERVED < bytes.length);
});

for (const [name, longest] of [
  ['curve', 256],
  ['modp', 1024],
] as const)
  test(`the buffers of ${name} lie one behind the other inside the memory`, () => {
    const { at, bytes } = wasm(name);
    assert.ok(at.SCALAR > 0 && at.SCALAR < at.PEER && at.PEER + longest <= at.RESULT);
    assert.ok(at.RESULT + longest <= at.RESERVED && at.RESERVED < bytes.length);
  });

test('the buffers of feistel lie one behind the other inside the memory', () => {
  const { at, bytes } = wasm('feistel');
  assert.ok(at.KEY > 0 && at.KEY + 32 <= at.IV && at.IV + 16 <= at.DATA);
  assert.ok(at.DATA + at.DATA_MAX <= at.RESERVED && at.RESERVED < bytes.length);
});
