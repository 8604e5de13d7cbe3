import { getJson, sendJson } from './http.ts';
import {
  array,
  boolean,
  type Decoded,
  dictionary,
  number,
  object,
  optional,
  string,
  unknown,
} from './shape.ts';

const source = object({
  source_name: string,
  is_enabled: boolean,
  description: optional(string, ''),
  config_params: dictionary(unknown),
  state: object({
    status: string,
    message: optional(string, null),
    since: optional(string, null),
    frames: optional(number, 0),
    packets: optional(number, 0),
    not_decoded: optional(number, 0),
    flows: optional(number, 0),
    verdicts: optional(number, 0),
    dropped_kernel: optional(number, 0),
    dropped_interface: optional(number, 0),
    dropped_queue: optional(number, 0),
  }),
});
export type Source = Decoded<typeof source>;

export function fetchSources(signal?: AbortSignal): Promise<Source[]> {
  return getJson('/config/sources', array(source), signal);
}

/** Turns a source on or off, with the parameters that are given in place of its own. */
export function changeSource(
  name: string,
  isEnabled: boolean,
  params?: Readonly<Record<string, unknown>>,
): Promise<Source> {
  const body = { is_enabled: isEnabled, ...(params ? { config_params: params } : {}) };
  return sendJson('PATCH', `/config/sources/${encodeURIComponent(name)}`, body, source);
}

/**
 * The parameters as they were typed, in the kinds that the source has: numbers where it holds
 * numbers, nothing where the field is empty. What is wrong with a value, the server says.
 */
export function typedParams(
  known: Readonly<Record<string, unknown>>,
  typed: Readonly<Record<string, string | boolean>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(typed).map(([name, value]) => [name, typedValue(known[name], value)]),
  );
}

function typedValue(known: unknown, value: string | boolean): unknown {
  if (typeof value === 'boolean') return value;
  const text = value.trim();
  if (typeof known === 'number') {
    const number = Number(text);
    return text === '' || Number.isNaN(number) ? text : number;
  }
  return text === '' ? null : text;
}
