// Typed errors of the public API. Each class has a stable `code`; nothing here ever carries key material.
// Inside the negotiation errors are values (`Result`), never exceptions.

import type { FailureReport } from './ike/failure.ts';

/** A computation's outcome as a value: the negotiation does not throw. */
export type Result<T, E = ErrorInfo> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

/** A failure as a value: a stable machine-readable code and one sentence for a person. */
export interface ErrorInfo {
  readonly code: string;
  readonly message: string;
}

/** Wraps a success. */
export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** Wraps a failure. */
export function fail<C extends string>(
  code: C,
  message: string,
): { readonly ok: false; readonly error: { readonly code: C; readonly message: string } } {
  return { ok: false, error: { code, message } };
}

/** The base of every error that ike-native throws or rejects with. `code` is stable across versions. */
export class IkeError extends Error {
  override readonly name: string = 'IkeError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A configuration that cannot be used. `path` names the place (`connections.branch.remote.address`). */
export class ConfigError extends IkeError {
  override readonly name = 'ConfigError';
  readonly path: string;

  constructor(path: string, message: string) {
    super('ERR_IKE_CONFIG', message);
    this.path = path;
  }
}

/** The host lacks something: a capability, a device, the addon, a free port. The message says what would work without it. */
export class SystemError extends IkeError {
  override readonly name = 'SystemError';
}

/** A negotiation with a peer failed; `report` says why and what to change, where it came so far. */
export class NegotiationError extends IkeError {
  override readonly name = 'NegotiationError';
  readonly report: FailureReport | undefined;

  constructor(code: string, message: string, report?: FailureReport) {
    super(code, message);
    this.report = report;
  }
}
