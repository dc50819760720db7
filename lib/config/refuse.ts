// How every rule of the configuration says no: one ConfigError whose message begins with the path.

import { ConfigError } from '../errors.ts';

/** Throws the error of a value that is not accepted. */
export function refuse(path: string, message: string): never {
  throw configError(path, message);
}

/** The error of a place in the configuration. */
export function configError(path: string, message: string): ConfigError {
  return new ConfigError(path, path === '' ? `the configuration: ${message}` : `${path}: ${message}`);
}
