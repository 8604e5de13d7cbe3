import { getJson, postJson } from './http.ts';
import {
  array,
  boolean,
  type Decoded,
  number,
  object,
  optional,
  string,
  unknown,
} from './shape.ts';

const interval = optional(array(number), null);

const columnDrift = object({
  feature: string,
  verdict: string,
  psi: optional(number, null),
  psi_beyond_chance: optional(number, null),
  statistic: optional(number, null),
  adjusted_p: optional(number, null),
  missing: optional(array(number), []),
  unseen: optional(number, 0),
});
export type ColumnDrift = Decoded<typeof columnDrift>;

const driftWindow = object({
  rows: number,
  at: optional(string, null),
  has_drifted: boolean,
  drifted: optional(array(string), []),
  columns: optional(array(columnDrift), []),
  score: optional(columnDrift, null),
  silent: optional(string, null),
});
export type DriftWindow = Decoded<typeof driftWindow>;

const estimate = object({
  outcome: string,
  at: optional(string, null),
  rows: optional(number, null),
  precision: optional(number, null),
  recall: optional(number, null),
  f1: optional(number, null),
  f1_interval: interval,
  because: optional(array(string), []),
});
export type Estimate = Decoded<typeof estimate>;

const measured = object({
  rows: number,
  precision: optional(number, null),
  precision_interval: interval,
  recall: optional(number, null),
  recall_interval: interval,
  f1: optional(number, null),
  f1_interval: interval,
  false_positive_rate: optional(number, null),
  roc_auc: optional(number, null),
  roc_auc_interval: interval,
  expected_calibration_error: optional(number, null),
});
export type Measured = Decoded<typeof measured>;

const performance = object({
  measured,
  error_rate: optional(number, null),
  changes: optional(number, 0),
});

const watched = object({
  model_id: string,
  name: string,
  version: string,
  role: optional(string, 'detector'),
  stage: string,
  window_rows: optional(number, 0),
  last_row_at: optional(string, null),
  drift: optional(driftWindow, null),
  estimate: optional(estimate, null),
  performance,
});
export type WatchedModel = Decoded<typeof watched>;

const candidate = object({
  model_id: string,
  champion_id: string,
  on_probation: optional(boolean, false),
  share: optional(number, null),
  rows: optional(number, 0),
  agreement: optional(number, null),
  champion_alerts: optional(number, 0),
  candidate_alerts: optional(number, 0),
  labels: optional(number, 0),
  f1_difference: optional(object({ value: number, interval: array(number) }), null),
  recommends: optional(unknown, null),
});
export type CandidateWatch = Decoded<typeof candidate>;

const overview = object({
  rows_read: number,
  rows_skipped: optional(number, 0),
  rows_unknown: optional(number, 0),
  updated_at: optional(string, null),
  models: array(watched),
  candidates: optional(array(candidate), []),
});
export type Monitoring = Decoded<typeof overview>;

const driftRecords = object({
  records: array(object({ model_id: string, at: string, value: driftWindow })),
});
export type DriftRecord = Decoded<typeof driftRecords>['records'][number];

const message = object({
  number,
  target: string,
  event: string,
  created_at: string,
  state: string,
  attempts: optional(number, 0),
  last_error: optional(string, null),
});
export type Message = Decoded<typeof message>;

const job = object({
  id: string,
  model_id: string,
  model: string,
  reason: string,
  requested_by: string,
  started_at: string,
  labels: optional(number, 0),
});
const finished = object({
  id: string,
  model: string,
  reason: string,
  requested_by: string,
  started_at: string,
  ended_at: optional(string, null),
  made_model_id: optional(string, null),
  failure: optional(string, null),
  labels: optional(number, 0),
});
const retrainings = object({
  current: optional(job, null),
  finished: optional(array(finished), []),
});
export type Retrainings = Decoded<typeof retrainings>;

export function fetchMonitoring(signal?: AbortSignal): Promise<Monitoring> {
  return getJson('/monitoring', overview, signal);
}

export async function fetchDrift(modelId: string, signal?: AbortSignal): Promise<DriftRecord[]> {
  const query = new URLSearchParams({ model_id: modelId, limit: '24' });
  return (await getJson(`/monitoring/drift?${query.toString()}`, driftRecords, signal)).records;
}

export async function fetchMessages(signal?: AbortSignal): Promise<Message[]> {
  const list = object({ messages: array(message) });
  return (await getJson('/webhooks/messages?limit=20', list, signal)).messages;
}

export function fetchRetrainings(signal?: AbortSignal): Promise<Retrainings> {
  return getJson('/retraining', retrainings, signal);
}

export function beginRetraining(modelId: string, actor: string, reason: string): Promise<unknown> {
  const words = { ...(actor === '' ? {} : { actor }), ...(reason === '' ? {} : { reason }) };
  return postJson('/retraining', { model_id: modelId, ...words }, unknown);
}
