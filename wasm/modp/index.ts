// Key exchange in groups of integers modulo a prime, as TypeScript calls it.

export { PEER, RESERVED, RESULT, SCALAR } from './layout';
export { modpPublic, modpSecret } from './modp';
