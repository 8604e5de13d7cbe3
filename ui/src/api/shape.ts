/**
 * Decoders: one definition gives both the runtime check and the static type of
 * an answer. A field the interface relies on must be there; a field that only
 * enriches a page is read with `optional`, so that an older or newer server
 * degrades one panel and not the whole page.
 */

export type Decoder<T> = (value: unknown, path: string) => T;
export type Decoded<D> = D extends Decoder<infer T> ? T : never;

/** The server answered, but not with what the interface understands. */
export class ShapeError extends Error {
  constructor(path: string, expected: string) {
    super(`the server's answer has no ${expected} at ${path}`);
    this.name = 'ShapeError';
  }
}

export const string: Decoder<string> = (value, path) => {
  if (typeof value !== 'string') throw new ShapeError(path, 'text');
  return value;
};

export const number: Decoder<number> = (value, path) => {
  if (typeof value !== 'number') throw new ShapeError(path, 'number');
  return value;
};

export const boolean: Decoder<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw new ShapeError(path, 'true or false');
  return value;
};

/** Identifiers are compared and put into addresses, never calculated with. */
export const identifier: Decoder<string> = (value, path) => {
  if (typeof value === 'number') return String(value);
  return string(value, path);
};

export const unknown: Decoder<unknown> = (value) => value;

export function nullable<T>(decoder: Decoder<T>): Decoder<T | null> {
  return (value, path) => (value === null ? null : decoder(value, path));
}

/** Reads `fallback` where the field is absent or null. */
export function optional<T, F>(decoder: Decoder<T>, fallback: F): Decoder<T | F> {
  return (value, path) => (value === undefined || value === null ? fallback : decoder(value, path));
}

export function array<T>(decoder: Decoder<T>): Decoder<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeError(path, 'list');
    return value.map((item: unknown, index) => decoder(item, `${path}[${index}]`));
  };
}

/** A list of exactly two. */
export function pairOf<A, B>(first: Decoder<A>, second: Decoder<B>): Decoder<[A, B]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length !== 2) throw new ShapeError(path, 'pair');
    return [first(value[0], `${path}[0]`), second(value[1], `${path}[1]`)];
  };
}

export function dictionary<T>(decoder: Decoder<T>): Decoder<Record<string, T>> {
  return (value, path) => {
    const entries = Object.entries(fieldsOf(value, path));
    return Object.fromEntries(entries.map(([key, item]) => [key, decoder(item, `${path}.${key}`)]));
  };
}

export function object<F extends Record<string, Decoder<unknown>>>(
  fields: F,
): Decoder<{ [K in keyof F]: Decoded<F[K]> }> {
  return (value, path) => {
    const source = fieldsOf(value, path);
    const result: Record<string, unknown> = {};
    for (const [name, decoder] of Object.entries(fields)) {
      result[name] = decoder(source[name], `${path}.${name}`);
    }
    return result as { [K in keyof F]: Decoded<F[K]> };
  };
}

function fieldsOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ShapeError(path, 'object');
  }
  return value as Record<string, unknown>;
}
