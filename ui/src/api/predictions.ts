import { getJson } from './http.ts';
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

const stats = object({
  total_predictions: number,
  total_attacks: number,
  total_normal: number,
  /** In per cent, 0–100. */
  attack_rate: number,
  attack_type_distribution: optional(dictionary(number), {}),
});
export type Stats = Decoded<typeof stats>;

const timeline = object({
  bucket_seconds: number,
  points: array(object({ start: string, total: number, threats: number })),
});
export type Timeline = Decoded<typeof timeline>;

/** What is stored of a prediction even where no model can explain it any more. */
const storedPrediction = object({
  traffic_data: object({
    id: string,
    features: optional(dictionary(unknown), {}),
    source: string,
    batch_id: optional(string, null),
    created_at: string,
  }),
  threat_prediction: optional(
    object({
      prediction_score: number,
      is_attack: boolean,
      threshold: number,
      model_version: string,
    }),
    null,
  ),
  attack_prediction: optional(
    object({
      attack_type_name: string,
      confidence: optional(number, null),
      model_version: string,
    }),
    null,
  ),
});
export type StoredPrediction = Decoded<typeof storedPrediction>;

export function fetchStats(signal?: AbortSignal): Promise<Stats> {
  return getJson('/predictions/stats', stats, signal);
}

export function fetchTimeline(
  from: Date,
  to: Date,
  buckets: number,
  signal?: AbortSignal,
): Promise<Timeline> {
  const query = new URLSearchParams({
    from: from.toISOString(),
    to: to.toISOString(),
    buckets: String(buckets),
  });
  return getJson(`/stats/timeline?${query.toString()}`, timeline, signal);
}

export function fetchStoredPrediction(id: string, signal?: AbortSignal): Promise<StoredPrediction> {
  return getJson(`/predictions/${encodeURIComponent(id)}`, storedPrediction, signal);
}
