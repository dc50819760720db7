// The block ciphers built as Feistel networks, in CBC, as TypeScript calls them: `length` bytes at DATA in place, the key at KEY,
// the IV at IV.

export { camelliaDecrypt, camelliaEncrypt } from './camellia';
export { desDecrypt, desEncrypt } from './des';
export { DATA, DATA_MAX, IV, KEY, RESERVED } from './layout';
