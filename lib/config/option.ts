// What a row of the table of options is made of: a notation (what may be written), a default and one sentence.

import { z } from 'zod';
import { type Notation, Refusal, showKind, showValue } from './notation.ts';

/** What the documentation says of a row. */
export interface OptionMeta {
  readonly doc: string;
  readonly expected?: string;
  /** The default as it would be written, or the rule that makes it in plain words. */
  readonly byDefault?: string;
}

/** Sentences and notations of all rows and sections, by schema. */
export const options: z.core.$ZodRegistry<OptionMeta> = z.registry<OptionMeta>();

/** The schema of one notation. */
export function validator<Out, In>(notation: Notation<Out, In>): z.ZodType<Out, In> {
  const schema = z.unknown().transform((input, context) => {
    const value = notation.read(input);
    if (!(value instanceof Refusal)) return value;
    const shown = notation.secret ? `${showKind(input)} (not shown)` : showValue(input);
    const what = input === undefined ? 'is missing' : `${shown} is not accepted`;
    const message = value.reason ?? `${what}; expected ${notation.expected}`;
    context.issues.push({ code: 'custom', input: undefined, message });
    return z.NEVER;
  });
  // zod cannot know what a notation takes in; the compiler holds users to it, `read` holds everybody.
  return schema as unknown as z.ZodType<Out, In>;
}

/** A schema, with what the documentation says of it. */
export function row<S extends z.ZodType>(schema: S, meta: OptionMeta): S {
  options.add(schema, meta);
  return schema;
}

/** A row with a default in the notation people use. */
export function option<Out, In>(notation: Notation<Out, In>, byDefault: In, doc: string) {
  const schema = validator(notation).prefault(byDefault as Exclude<In, undefined>);
  return row(schema, { doc, expected: notation.expected, byDefault: JSON.stringify(byDefault) });
}

/** A row that may be absent; `byDefault` says in words what holds then. */
export function derived<Out, In>(notation: Notation<Out, In>, byDefault: string, doc: string) {
  return row(validator(notation).optional(), { doc, expected: notation.expected, byDefault });
}

/** A group of rows that may be absent as a whole. */
export function section<T extends z.core.$ZodLooseShape>(doc: string, shape: T) {
  return row(z.strictObject(shape).prefault({} as never), { doc });
}
