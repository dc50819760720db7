// The notation of strongswan.conf and swanctl.conf: nested sections of `key = value`, written from objects, and the answers
// of `swanctl --raw`, which have the same shape on one line, read back into objects.

/** A section: values and sections within it. `undefined` is left out. */
export interface Section {
  readonly [key: string]: string | number | boolean | Section | undefined;
}

/** Writes a section's content. */
export function render(section: Section): string {
  return Object.entries(section)
    .map(([key, value]) => {
      if (value === undefined) return '';
      if (typeof value === 'object') return `${key} {\n${render(value)}}\n`;
      return `${key} = ${typeof value === 'boolean' ? (value ? 'yes' : 'no') : value}\n`;
    })
    .join('');
}

/** A section as swanctl answers it. */
export interface RawSection {
  [key: string]: string | string[] | RawSection;
}

/** The sections of all messages of one kind (`list-sa event`) in the output of `swanctl --raw`. */
export function readRaw(output: string, kind: string): RawSection[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(`${kind} {`))
    .map((line) => readSection({ text: line, at: kind.length + 2 }));
}

interface Reader {
  readonly text: string;
  at: number;
}

/** Reads up to the brace that closes this section. */
function readSection(reader: Reader): RawSection {
  const section: RawSection = {};
  for (;;) {
    const token =
      /\s*(?:(\})|([^\s={}]+)(?:=\[(.*?)\](?=[\s}])|=([^{}]*?)(?=\s[^\s={}]+(?:=|\s\{)|\})|\s\{))/y;
    token.lastIndex = reader.at;
    const match = token.exec(reader.text);
    if (match === null)
      throw new SyntaxError(`not understood: ${reader.text.slice(reader.at, reader.at + 80)}`);
    reader.at = token.lastIndex;
    const [, close, key, list, value] = match;
    if (close !== undefined) return section;
    if (list !== undefined) section[key] = list.split(' ').filter(Boolean);
    else section[key] = value ?? readSection(reader);
  }
}

/** The section at a path, empty where there is none. */
export function inner(section: RawSection, ...path: string[]): RawSection {
  let at = section;
  for (const key of path) {
    const next = at[key];
    if (typeof next !== 'object' || Array.isArray(next)) return {};
    at = next;
  }
  return at;
}
