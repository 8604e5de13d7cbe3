import { getJson } from './http.ts';
import {
  array,
  boolean,
  type Decoded,
  dictionary,
  identifier,
  number,
  object,
  optional,
  string,
  unknown,
} from './shape.ts';
import { perClassMetrics } from './uploads.ts';

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
});
export type Model = Decoded<typeof model>;

const point = array(number);

const trainingReport = object({
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

export function fetchTrainingReport(id: string, signal?: AbortSignal): Promise<TrainingReport> {
  return getJson(`/models/${encodeURIComponent(id)}/report`, trainingReport, signal);
}
