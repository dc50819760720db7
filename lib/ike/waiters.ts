// Callers that wait for the end of an order, by what the order was about. Each is told exactly once.

import type { ErrorInfo, Result } from '../errors.ts';
import type { FailureReport } from './failure.ts';

/** Why an order of the user came to nothing; `report` when a negotiation failed. */
export interface OrderError extends ErrorInfo {
  readonly report?: FailureReport;
}
export type Done<T> = (result: Result<T, OrderError>) => void;
export type Told<T> = Result<T, OrderError>;

/** Callers that wait for one thing at most; a program that asks more often has lost track. */
const MOST_WAITING = 1000;

export class Waiters<T> {
  readonly #waiting = new Map<string, Done<T>[]>();

  /** Lets `done` wait for `name`; false when too many do. Without `done` the name stands there all the same. */
  add(name: string, done?: Done<T>): boolean {
    const waiting = this.#waiting.get(name) ?? [];
    if (waiting.length >= MOST_WAITING) return false;
    this.#waiting.set(name, done === undefined ? waiting : [...waiting, done]);
    return true;
  }

  has(name: string): boolean {
    return this.#waiting.has(name);
  }

  get names(): string[] {
    return [...this.#waiting.keys()];
  }

  /** Tells all who wait for `name`; what they do then may let others wait for it anew. */
  tell(name: string, result: Told<T>): void {
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    for (const done of waiting) done(result);
  }

  tellAll(result: Told<T>): void {
    for (const name of this.names) this.tell(name, result);
  }
}

/** A failed negotiation as the result of the order that it was for. */
export function failure(report: FailureReport): Extract<Told<never>, { ok: false }> {
  const { code, message } = report;
  return { ok: false, error: { code, message, report } };
}
