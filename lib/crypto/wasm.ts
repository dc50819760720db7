// The WASM modules: found beside the compiled code, compiled once a process, one instance a thread. An instance does one thing at a
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

/** The modules as seen from here: wasm/NAME/index.ts. Numbers of bytes are in the order key, additional data, text. */
interface Exports {
  readonly symmetric: {
    hash(digest: number, length: number): void;
    prf(prf: number, keyBytes: number, length: number): void;
    expand(prf: number, keyBytes: number, seedBytes: number, wantedBytes: number, counter: number): void;
    cbcEncrypt(keyBytes: number, length: number): void;
    cbcDecrypt(keyBytes: number, length: number): void;
    ctr(keyBytes: number, length: number): void;
    gcmSeal(keyBytes: number, icvBytes: number, aadBytes: number, length: number): void;
    gcmOpen(keyBytes: number, icvBytes: number, aadBytes: number, length: number): number;
    ccmSeal(keyBytes: number, icvBytes: number, aadBytes: number, length: number): void;
    ccmOpen(keyBytes: number, icvBytes: number, aadBytes: number, length: number): number;
    chachaSeal(aadBytes: number, length: number): void;
    chachaOpen(aadBytes: number, length: number): number;
  };
  readonly feistel: {
    camelliaEncrypt(keyBytes: number, length: number): void;
    camelliaDecrypt(keyBytes: number, length: number): void;
    desEncrypt(keyBytes: number, length: number): void;
    desDecrypt(keyBytes: number, length: number): void;
  };
  readonly curve: {
    x25519Public(): void;
    x25519Secret(): number;
    p256Fits(): number;
    p256Public(): void;
    p256Secret(): number;
  };
  readonly modp: {
    modpPublic(group: number, exponentBytes: number): void;
    modpSecret(group: number, exponentBytes: number): number;
  };
  /** Each takes k: 2, 3 or 4. */
  readonly kem: {
    mlkemPublic(k: number): void;
    mlkemEncapsulate(k: number): number;
    mlkemDecapsulate(k: number): void;
  };
}

/** Where the modules' layout.ts put things. */
interface Places {
  readonly symmetric: Record<
    'KEY' | 'KEY_MAX' | 'IV' | 'DATA' | 'DATA_MAX' | 'OUT' | 'OUT_MAX' | End,
    number
  >;
  readonly feistel: Record<'KEY' | 'IV' | 'DATA' | 'DATA_MAX' | End, number>;
  readonly curve: Record<'SCALAR' | 'PEER' | 'RESULT' | End, number>;
  readonly modp: Record<'SCALAR' | 'PEER' | 'RESULT' | End, number>;
  readonly kem: Record<'SEED' | 'PEER' | 'RESULT' | 'SECRET' | End, number>;
}

/** Behind it the module's constants come. */
type End = 'RESERVED';

export type ModuleName = keyof Exports;

/** A thread's instance of a module: its functions, its places, and its memory as bytes. */
export interface Wasm<M extends ModuleName = ModuleName> {
  readonly call: Exports[M];
  readonly at: Readonly<Places[M]>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const compiled = new Map<ModuleName, WasmModule>();
const instances = new Map<ModuleName, Wasm>();

/** The compiled module; workers get it handed over. Throws a SystemError `ERR_IKE_WASM` when it cannot be loaded. */
export function wasmModule(name: ModuleName): WasmModule {
  const known = compiled.get(name) ?? compile(new URL(`../../wasm/${name}.wasm`, import.meta.url));
  compiled.set(name, known);
  return known;
}

/** Compiles a file; the error says which one, and what makes it. */
export function compile(file: URL): WasmModule {
  try {
    return new WebAssembly.Module(readFileSync(file));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SystemError(
      'ERR_IKE_WASM',
      `the cryptography in ${file.pathname} cannot be loaded (${reason}); \`npm run build:wasm\` makes it`,
      { cause },
    );
  }
}

/** Uses modules that another thread has compiled. */
export function useModules(modules: ReadonlyMap<ModuleName, WasmModule>): void {
  for (const [name, module] of modules) compiled.set(name, module);
}

/** This thread's instance of a module, made when first asked for. */
export function wasm<M extends ModuleName>(name: M): Wasm<M> {
  const known = instances.get(name) ?? instantiate(wasmModule(name));
  instances.set(name, known);
  // The map cannot say that each name has an instance of its own kind.
  return known as unknown as Wasm<M>;
}

function instantiate(module: WasmModule): Wasm {
  const { exports } = new WebAssembly.Instance(module);
  const places: Record<string, number> = {};
  for (const [name, value] of Object.entries(exports))
    if (value instanceof WebAssembly.Global) places[name] = value.value;
  const memory = exports['memory'] as WebAssembly.Memory;
  return {
    call: exports as unknown as Wasm['call'],
    at: Object.freeze(places) as unknown as Wasm['at'],
    bytes: new Uint8Array(memory.buffer),
  };
}

/** Copies `length` bytes out and overwrites them where they were. */
export function take({ bytes }: Pick<Wasm, 'bytes'>, from: number, length: number): Uint8Array<ArrayBuffer> {
  const out = bytes.slice(from, from + length);
  bytes.fill(0, from, from + length);
  return out;
}
