// Key exchange on elliptic curves, as TypeScript calls it.

export { x25519Public, x25519Secret } from './x25519';
export { p256Fits, p256Public, p256Secret } from './p256';
export { PEER, RESERVED, RESULT, SCALAR } from './layout';
