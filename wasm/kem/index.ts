// ML-KEM, as TypeScript calls it.

export { mlkemDecapsulate, mlkemEncapsulate, mlkemPublic } from './mlkem';
export { PEER, RESERVED, RESULT, SECRET, SEED } from './layout';
