// Hashes, PRFs, integrity and ciphers, as TypeScript calls them. Addresses are exported too, so that layout.ts stays the only place
// that knows them.

export { hash, hmac, prfPlus } from './hmac';
export { cbcDecrypt, cbcEncrypt } from './cbc';
export { gcmOpen, gcmSeal } from './gcm';
export { DATA, DATA_MAX, IV, KEY, KEY_MAX, OUT, OUT_MAX, RESERVED } from './layout';
