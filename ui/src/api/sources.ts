import { getJson, patchJson } from './http.ts';
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

const count = optional(number, null);

const sourceState = object({
  status: string,
  message: optional(string, null),
  since: optional(string, null),
  frames: count,
  packets: count,
  not_decoded: count,
  flows: count,
  verdicts: count,
  dropped_kernel: count,
  dropped_interface: count,
  dropped_queue: count,
});
export type SourceState = Decoded<typeof sourceState>;

/** Where rows come from by themselves, and how it is doing. */
export const source = object({
  source_name: string,
  is_enabled: boolean,
  description: optional(string, null),
  config_params: dictionary(unknown),
  updated_at: optional(string, null),
  state: sourceState,
});
export type Source = Decoded<typeof source>;

/** Values that are not named stay as they are. */
export interface SourceChange {
  readonly is_enabled: boolean;
  readonly config_params?: Readonly<Record<string, unknown>>;
}

export function fetchSources(signal?: AbortSignal): Promise<Source[]> {
  return getJson('/config/sources', array(source), signal);
}

/** The server answers when the source has started, or has stored what it had left. */
export function changeSource(name: string, change: SourceChange): Promise<Source> {
  return patchJson(`/config/sources/${encodeURIComponent(name)}`, change, source);
}
