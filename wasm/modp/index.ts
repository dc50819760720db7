// Key exchange in groups of integers modulo a prime, as TypeScript calls it.

export { modp2048Public, modp2048Secret } from './modp2048';
export { PEER, RESERVED, RESULT, SCALAR } from './layout';
