import { readFileSync } from 'node:fs';
const m=new WebAssembly.Module(readFileSync('/work/wt-curve/dist/wasm/curve.wasm'));
const i=new WebAssembly.Instance(m).exports;
const bytes=new Uint8Array(i.memory.buffer);
for(let q=0;q<20;q++)i.x25519Public();
