// Key exchange on elliptic curves, as TypeScript calls it.

export { x25519Public, x25519Secret } from './x25519';
export { x448Public, x448Secret } from './x448';
export { ecpFits, ecpPublic, ecpSecret } from './ecp';
export { PEER, RESERVED, RESULT, SCALAR } from './layout';
