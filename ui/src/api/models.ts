import { deleteAt, getJson, patchJson, postForm, postJson } from './http.ts';
import {
  array,
  boolean,
  type Decoded,
  dictionary,
  identifier,
  number,
  object,
  optional,
  pairOf,
  string,
  unknown,
} from './shape.ts';
import { classifierMetrics, detectorMetrics, perClassMetrics } from './uploads.ts';

const model = object({
  id: identifier,
  model_type: string,
  version: string,
  file_format: optional(string, null),
  original_filename: optional(string, null),
  is_active: boolean,
  file_size_bytes: optional(number, null),
  expected_features: optional(array(string), []),
  class_labels: optional(array(string), []),
  preprocessing_notes: optional(string, null),
  created_at: optional(string, null),
  description: optional(string, null),
  name: optional(string, null),
  stage: optional(string, null),
  stage_changed_at: optional(string, null),
  origin: optional(string, null),
  slot: optional(string, null),
  parent_id: optional(string, null),
  uploaded_by: optional(string, null),
  notes: optional(string, ''),
  tags: optional(array(string), []),
  has_bytes: optional(boolean, true),
  signature: optional(object({ key_id: string, trusted: boolean, comment: string }), null),
});
export type Model = Decoded<typeof model>;

const point = array(number);

/** What a model did on one set of labelled rows. */
const evaluation = object({
  name: string,
  rows: number,
  detector: optional(detectorMetrics, null),
  classifier: optional(classifierMetrics, null),
  by_label: optional(array(object({ label: string, rows: number, called_threat: number })), []),
});
export type Evaluation = Decoded<typeof evaluation>;

/** A detector on training rows it was not fitted to. */
const heldOut = object({
  what: optional(string, null),
  accuracy: optional(number, null),
  f1: optional(number, null),
  recall: optional(number, null),
  false_positive_rate: optional(number, null),
  roc_auc: optional(number, null),
  expected_calibration_error: optional(number, null),
  types: optional(
    array(
      object({
        label: string,
        rows: number,
        recall: optional(number, null),
        recall_interval: optional(point, []),
      }),
    ),
    [],
  ),
});
export type HeldOut = Decoded<typeof heldOut>;

const trainingReport = object({
  description: optional(string, null),
  command: optional(string, null),
  data: optional(
    array(object({ name: string, sha256: optional(string, ''), rows: optional(number, null) })),
    [],
  ),
  size: optional(dictionary(unknown), {}),
  training: optional(heldOut, null),
  cross_validation: optional(evaluation, null),
  test: optional(array(evaluation), []),
  model: optional(string, null),
  role: optional(string, null),
  schema: optional(string, null),
  task: optional(string, null),
  rows: optional(dictionary(unknown), {}),
  confusion: optional(object({ classes: array(string), matrix: array(array(number)) }), null),
  per_class: perClassMetrics,
  roc: optional(array(point), []),
  pr: optional(array(point), []),
  calibration: optional(
    array(object({ mean_predicted: number, observed: number, rows: optional(number, 0) })),
    [],
  ),
  threshold: optional(object({ value: number, method: optional(string, null) }), null),
  importances: optional(array(object({ feature: string, importance: number })), []),
  weaknesses: optional(array(string), []),
});
export type TrainingReport = Decoded<typeof trainingReport>;

export async function fetchModels(signal?: AbortSignal): Promise<Model[]> {
  return (await getJson('/models/', object({ models: array(model) }), signal)).models;
}

const event = object({
  number,
  model_id: string,
  at: string,
  actor: string,
  kind: string,
  from: optional(string, null),
  to: optional(string, null),
  reason: string,
});
export type ModelEvent = Decoded<typeof event>;

const pathOf = (id: string): string => `/models/${encodeURIComponent(id)}`;

export async function fetchHistory(id: string, signal?: AbortSignal): Promise<ModelEvent[]> {
  return (await getJson(`${pathOf(id)}/history`, object({ events: array(event) }), signal)).events;
}

/** What can be asked of a model. */
export type ModelOrder =
  | { readonly kind: 'activate' | 'deactivate' | 'rollback' }
  | { readonly kind: 'stage'; readonly stage: string; readonly share?: number }
  | { readonly kind: 'delete' };

/** Who asks, and why; both stand in the history. */
export interface Asker {
  readonly actor: string;
  readonly reason: string;
}

export async function orderModel(id: string, order: ModelOrder, by: Asker): Promise<void> {
  const words = {
    ...(by.actor === '' ? {} : { actor: by.actor }),
    ...(by.reason === '' ? {} : { reason: by.reason }),
  };
  if (order.kind === 'delete') {
    await deleteAt(pathOf(id), unknown);
  } else if (order.kind === 'stage') {
    const { stage, share } = order;
    const body = { stage, ...(share === undefined ? {} : { share }), ...words };
    await postJson(`${pathOf(id)}/stage`, body, unknown);
  } else {
    await postJson(`${pathOf(id)}/${order.kind}`, words, unknown);
  }
}

export interface ModelTexts {
  readonly description: string;
  readonly notes: string;
  readonly tags: readonly string[];
}

export function changeTexts(id: string, texts: ModelTexts): Promise<Model> {
  return patchJson(pathOf(id), texts, model);
}

export function uploadModel(form: FormData): Promise<Model> {
  return postForm('/models/upload', form, model);
}

export function fetchTrainingReport(id: string, signal?: AbortSignal): Promise<TrainingReport> {
  return getJson(`/models/${encodeURIComponent(id)}/report`, trainingReport, signal);
}

const compared = object({
  id: identifier,
  name: optional(string, null),
  version: string,
  stage: optional(string, null),
  evaluation,
});
export type ComparedModel = Decoded<typeof compared>;

const answer = object({ class: string, probability: number });

const comparison = object({
  on: array(object({ name: string, kind: string, rows: number })),
  data: string,
  rows: number,
  a: compared,
  b: compared,
  agreement: object({
    rows: number,
    agreed: number,
    only_a_right: number,
    only_b_right: number,
    both_wrong_differently: number,
    p_value: number,
  }),
  disagreements: array(object({ row: number, label: string, a: answer, b: answer })),
});
export type Comparison = Decoded<typeof comparison>;

export function fetchComparison(
  a: string,
  b: string,
  data: string | null,
  signal?: AbortSignal,
): Promise<Comparison> {
  const query = data === null ? '' : `?${new URLSearchParams({ data }).toString()}`;
  return getJson(`${pathOf(a)}/compare/${encodeURIComponent(b)}${query}`, comparison, signal);
}

const insight = object({
  rows: string,
  output: string,
  labelled: optional(string, null),
  importances: array(
    object({
      feature: string,
      mean_abs_contribution: number,
      permutation: optional(number, null),
    }),
  ),
  dependence: optional(
    array(object({ feature: string, points: array(pairOf(unknown, number)) })),
    [],
  ),
});
export type Insight = Decoded<typeof insight>;

export function fetchInsight(id: string, signal?: AbortSignal): Promise<Insight> {
  return getJson(`${pathOf(id)}/insight`, insight, signal);
}
