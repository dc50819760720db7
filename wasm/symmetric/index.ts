// Hashes, PRFs, integrity and ciphers, as TypeScript calls them. Addresses are exported too, so that layout.ts stays the only place
// that knows them.

export { hash } from './hmac';
export { expand, prf } from './prf';
export { cbcDecrypt, cbcEncrypt } from './cbc';
export { ctr } from './ctr';
export { gcmOpen, gcmSeal } from './gcm';
export { ccmOpen, ccmSeal } from './ccm';
export { chachaOpen, chachaSeal } from './chacha';
export { DATA, DATA_MAX, IV, KEY, KEY_MAX, OUT, OUT_MAX, RESERVED } from './layout';
