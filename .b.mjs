import { readFileSync } from 'node:fs';
import sodium from 'libsodium-wrappers';
await sodium.ready;
const m=new WebAssembly.Module(readFileSync(process.argv[2]??'/work/wt-curve/dist/wasm/curve.wasm'));
const i=new WebAssembly.Instance(m).exports;
const bytes=new Uint8Array(i.memory.buffer);
const [S,P,R]=[i.SCALAR.value,i.PEER.value,i.RESULT.value];
const k=new Uint8Array(32).fill(7), pk=sodium.crypto_scalarmult_base(k);
const fs={ours:()=>{bytes.set(k,S);bytes.set(pk,P);i.x25519Secret()}, oursPub:()=>{bytes.set(k,S);i.x25519Public()}, sodium:()=>sodium.crypto_scalarmult(k,pk), sodiumBase:()=>sodium.crypto_scalarmult_base(k)};
const best={};
for(let r=0;r<400;r++)for(const [n,f] of Object.entries(fs)){const s=process.hrtime.bigint();for(let q=0;q<4;q++)f();const e=Number(process.hrtime.bigint()-s)/4000;best[n]=Math.min(best[n]??1e9,e);}
console.log(Object.fromEntries(Object.entries(best).map(([n,v])=>[n,v.toFixed(1)])));
