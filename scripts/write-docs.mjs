// `npm run docs`: writes docs/configuration.md from the compiled table of options (dist/, so build first).

import { writeFileSync } from 'node:fs';
import { configReference } from '../dist/lib/config/reference.js';

const file = new URL('../docs/configuration.md', import.meta.url);
writeFileSync(file, configReference());
console.log(`wrote ${file.pathname}`);
