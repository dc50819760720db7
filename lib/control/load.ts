// Reads a configuration file: JSON, or an ES module whose default export (or export named `config`) is the configuration.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../errors.ts';

/** Returns what the file holds, not yet validated. Throws a {@link ConfigError} that names the file. */
export async function loadConfigFile(file: string): Promise<unknown> {
  const path = resolve(file);
  if (/\.[cm]?[jt]s$/.test(path)) return loadModule(file, path);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError('', `${file}: cannot be read: ${reason(error)}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError('', `${file}: is not JSON${jsonPlace(text, error)}`);
  }
}

async function loadModule(file: string, path: string): Promise<unknown> {
  let loaded: Record<string, unknown>;
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (error) {
    throw new ConfigError('', `${file}: cannot be loaded: ${reason(error)}`);
  }
  const config = loaded['default'] ?? loaded['config'];
  if (config === undefined)
    throw new ConfigError(
      '',
      `${file}: exports no configuration; expected a default export or one named "config"`,
    );
  return config;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Line and column of the mistake. The parser's own message quotes the text around it, which may hold a key. */
function jsonPlace(text: string, error: unknown): string {
  if (text.trim() === '') return ': it is empty';
  const position = /at position (\d+)/.exec(reason(error));
  if (position === null) return '';
  const before = text.slice(0, Number(position[1])).split('\n');
  return `: mistake at line ${before.length}, column ${before[before.length - 1].length + 1}`;
}
