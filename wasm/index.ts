// What TypeScript calls. Addresses are exported too, so that layout.ts stays the only place that knows them.

export { hash, hmac, prfPlus } from './hmac';
export { cbcDecrypt, cbcEncrypt } from './cbc';
export { gcmOpen, gcmSeal } from './gcm';
export { x25519Public, x25519Secret } from './x25519';
export { p256Fits, p256Public, p256Secret } from './p256';
export { modp2048Public, modp2048Secret } from './modp2048';
export { DATA, DATA_MAX, IV, KEY, KEY_MAX, OUT, OUT_MAX, PEER, RESULT, SCALAR } from './layout';
