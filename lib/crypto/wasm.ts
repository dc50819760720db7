// The WASM module: found beside the compiled code, compiled once a process, one instance a thread. An instance does one thing at a
// time, without interruption, so nobody needs to lock it. Bytes go in with `put` and come out with `take`, which wipes behind itself.

import { readFileSync } from 'node:fs';
import { SystemError } from '../errors.ts';

/** What is used of it: the types of Node 20 do not know it, and those of browsers are not loaded. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module);
    readonly exports: Readonly<Record<string, unknown>>;
  }
  class Global {
    readonly value: number;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
}

/** A compiled module: it can be handed to a worker. */
export type WasmModule = WebAssembly.Module;

/** wasm/index.ts as seen from here. Numbers of bytes are in the order key, additional data, text. */
interface WasmExports {
  readonly memory: WebAssembly.Memory;
  hash(digest: number, length: number): void;
  hmac(digest: number, keyBytes: number, length: number): void;
  prfPlus(digest: number, keyBytes: number, seedBytes: number, wantedBytes: number): void;
  cbcEncrypt(keyBytes: number, length: number): void;
  cbcDecrypt(keyBytes: number, length: number): void;
  gcmSeal(keyBytes: number, aadBytes: number, length: number): void;
  gcmOpen(keyBytes: number, aadBytes: number, length: number): number;
  x25519Public(): void;
  x25519Secret(): number;
  p256Fits(): number;
  p256Public(): void;
  p256Secret(): number;
  modp2048Public(): void;
  modp2048Secret(): number;
}

/** Where wasm/layout.ts put things. */
interface Places {
  readonly KEY: number;
  readonly KEY_MAX: number;
  readonly IV: number;
  readonly DATA: number;
  readonly DATA_MAX: number;
  readonly OUT: number;
  readonly OUT_MAX: number;
  readonly SCALAR: number;
  readonly PEER: number;
  readonly RESULT: number;
}

/** The instance of a thread: its functions, its places, and its memory as bytes. */
export interface Wasm {
  readonly call: WasmExports;
  readonly at: Places;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const FILE = new URL('../../wasm/crypto.wasm', import.meta.url);

let compiled: WasmModule | undefined;
let instance: Wasm | undefined;

/** The compiled module; workers get it handed over. Throws a SystemError `ERR_IKE_WASM` when it cannot be loaded from `file`. */
export function wasmModule(file: URL = FILE): WasmModule {
  if (compiled !== undefined && file === FILE) return compiled;
  try {
    const module = new WebAssembly.Module(readFileSync(file));
    if (file === FILE) compiled = module;
    return module;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError(
      'ERR_IKE_WASM',
      `the cryptography in ${file.pathname} cannot be loaded (${reason}); \`npm run build:wasm\` makes it`,
      { cause },
    );
  }
}

/** Uses a module that another thread has compiled. */
export function useModule(module: WasmModule): void {
  compiled ??= module;
}

/** This thread's instance, made when first asked for. */
export function wasm(): Wasm {
  instance ??= instantiate(wasmModule());
  return instance;
}

function instantiate(module: WasmModule): Wasm {
  const { exports } = new WebAssembly.Instance(module);
  const call = exports as unknown as WasmExports;
  const at: Record<string, number> = {};
  for (const [name, value] of Object.entries(exports))
    if (value instanceof WebAssembly.Global) at[name] = value.value;
  return { call, at: Object.freeze(at) as unknown as Places, bytes: new Uint8Array(call.memory.buffer) };
}

/** Copies `length` bytes out and overwrites them where they were. */
export function take({ bytes }: Wasm, from: number, length: number): Uint8Array<ArrayBuffer> {
  const out = bytes.slice(from, from + length);
  bytes.fill(0, from, from + length);
  return out;
}
