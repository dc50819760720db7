// What TypeScript calls. Addresses are exported too, so that layout.ts stays the only place that knows them.

export { hash, hmac, prfPlus } from './hmac';
export { cbcDecrypt, cbcEncrypt } from './cbc';
export { gcmOpen, gcmSeal } from './gcm';
export { DATA, DATA_MAX, EXCHANGE, EXCHANGE_END, IV, KEY, KEY_MAX, OUT, OUT_MAX, PEER, RESULT, SCALAR } from './layout';
