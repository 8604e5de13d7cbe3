import { getJson } from './http.ts';
import {
  array,
  boolean,
  type Decoded,
  type Decoder,
  nullable,
  number,
  object,
  optional,
  ShapeError,
  string,
} from './shape.ts';

/** A cell as it was read: a number, a category, or nothing. */
export type FeatureValue = string | number | boolean | null;

const featureValue: Decoder<FeatureValue> = (value, path) => {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value;
  }
  throw new ShapeError(path, 'feature value');
};

const flow = object({
  flow_id: string,
  community_id: string,
  src_ip: string,
  src_port: number,
  dst_ip: string,
  dst_port: number,
  protocol: string,
  service: optional(string, null),
  connection: optional(string, null),
  start: string,
  duration_seconds: number,
  end_reason: optional(string, null),
  stage: string,
  packets_forward: number,
  packets_backward: number,
  bytes_forward: number,
  bytes_backward: number,
});
export type Flow = Decoded<typeof flow>;

const moment = object({
  offset_seconds: number,
  direction: string,
  payload_bytes: number,
  flags: string,
});
export type Moment = Decoded<typeof moment>;

const opinion = object({
  schema: string,
  probability: optional(number, null),
  is_threat: boolean,
  class: optional(string, null),
  confidence: optional(number, null),
});
export type Opinion = Decoded<typeof opinion>;

const verdict = object({
  id: nullable(string),
  created_at: nullable(string),
  source: string,
  batch_id: optional(string, null),
  row: optional(number, null),
  schema: string,
  schema_version: optional(number, null),
  schema_fingerprint: optional(string, null),
  threat: optional(
    object({
      probability: number,
      is_threat: boolean,
      threshold: number,
      model: string,
      model_version: string,
    }),
    null,
  ),
  attack: optional(
    object({
      class: string,
      class_id: optional(number, null),
      /** Whether the class is an attack; servers that do not say leave it to the name. */
      is_attack: optional(boolean, null),
      confidence: optional(number, null),
      named: optional(object({ label: string, confidence: optional(number, null) }), null),
      model: string,
      model_version: string,
    }),
    null,
  ),
  label: optional(string, null),
  flow: optional(flow, null),
  reasons: optional(
    array(object({ stage: string, feature: string, value: featureValue, contribution: number })),
    [],
  ),
});
export type Verdict = Decoded<typeof verdict>;

const verdictPage = object({ verdicts: array(verdict), next: optional(string, null) });
export type VerdictPage = Decoded<typeof verdictPage>;

const contribution = object({ feature: string, value: featureValue, contribution: number });
export type Contribution = Decoded<typeof contribution>;

const stage = object({
  stage: string,
  model: string,
  model_version: string,
  output: string,
  class: optional(string, null),
  base_value: number,
  margin: number,
  probability: optional(number, null),
  threshold: optional(number, null),
  /** The threshold on the margin's own axis, where the server knows it. */
  threshold_margin: optional(number, null),
  contributions: array(contribution),
});
export type Stage = Decoded<typeof stage>;

const feature = object({
  name: string,
  value: featureValue,
  unit: optional(string, null),
  description: optional(string, null),
});
export type Feature = Decoded<typeof feature>;

const neighbour = object({
  label: string,
  source: string,
  verdict_id: optional(string, null),
  distance: number,
});
export type Neighbour = Decoded<typeof neighbour>;

const counterfactual = object({
  changes: array(
    object({ feature: string, from: featureValue, to: featureValue, distance: number }),
  ),
  probability: optional(number, null),
  is_bounded: optional(boolean, false),
});
export type Counterfactual = Decoded<typeof counterfactual>;

const explanation = object({
  verdict,
  features: optional(array(feature), []),
  stages: optional(array(stage), []),
  flow: optional(flow, null),
  timeline: optional(array(moment), []),
  opinions: optional(array(opinion), []),
  neighbours: optional(array(neighbour), []),
  counterfactual: optional(counterfactual, null),
});
export type Explanation = Decoded<typeof explanation>;

/** Which verdicts a list shows; the fields are the query parameters of the API. */
export interface VerdictFilter {
  readonly threatsOnly: boolean;
  readonly attackClass: string;
  readonly batchId: string;
}

export const ALL_VERDICTS: VerdictFilter = { threatsOnly: false, attackClass: '', batchId: '' };

export function verdictQuery(filter: VerdictFilter, limit: number, before: string | null): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (filter.threatsOnly) query.set('threats_only', 'true');
  if (filter.attackClass !== '') query.set('attack_class', filter.attackClass);
  if (filter.batchId !== '') query.set('batch_id', filter.batchId);
  if (before !== null) query.set('before', before);
  return query.toString();
}

export function fetchVerdicts(
  filter: VerdictFilter,
  limit: number,
  before: string | null,
  signal?: AbortSignal,
): Promise<VerdictPage> {
  return getJson(`/verdicts?${verdictQuery(filter, limit, before)}`, verdictPage, signal);
}

export function fetchExplanation(id: string, signal?: AbortSignal): Promise<Explanation> {
  return getJson(`/predictions/${encodeURIComponent(id)}/explain`, explanation, signal);
}
