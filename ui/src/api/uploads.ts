import { ApiError, detailOf, getJson, parseJson } from './http.ts';
import {
  array,
  type Decoded,
  dictionary,
  nullable,
  number,
  object,
  optional,
  string,
} from './shape.ts';

const job = object({
  id: string,
  batch_id: string,
  file_name: optional(string, null),
  status: string,
  bytes_read: optional(number, 0),
  bytes_total: optional(number, null),
  rows_read: optional(number, 0),
  rows_scored: optional(number, 0),
  rows_rejected: optional(number, 0),
  started_at: optional(string, null),
  finished_at: optional(string, null),
  error: optional(string, null),
});
export type Job = Decoded<typeof job>;

const accepted = object({ job_id: string, batch_id: string, message: optional(string, '') });
export type AcceptedUpload = Decoded<typeof accepted>;

const batch = object({
  batch_id: string,
  row_count: number,
  uploaded_at: string,
  file_name: optional(string, null),
  status: optional(string, null),
});
export type Batch = Decoded<typeof batch>;

const classMetrics = object({
  class: string,
  support: number,
  precision: nullable(number),
  recall: nullable(number),
  f1: nullable(number),
});
export type ClassMetrics = Decoded<typeof classMetrics>;
export const perClassMetrics = optional(array(classMetrics), []);

export const detectorMetrics = object({
  true_positive: number,
  false_positive: number,
  true_negative: number,
  false_negative: number,
  accuracy: optional(number, null),
  precision: optional(number, null),
  recall: optional(number, null),
  f1: optional(number, null),
  false_positive_rate: optional(number, null),
  roc_auc: optional(number, null),
  expected_calibration_error: optional(number, null),
  roc: optional(array(array(number)), []),
  pr: optional(array(array(number)), []),
  calibration: optional(
    array(object({ mean_predicted: number, observed: number, rows: optional(number, 0) })),
    [],
  ),
});
export type DetectorMetrics = Decoded<typeof detectorMetrics>;

export const classifierMetrics = object({
  classes: array(string),
  matrix: array(array(number)),
  accuracy: optional(number, null),
  macro_f1: optional(number, null),
  per_class: perClassMetrics,
});
export type ClassifierMetrics = Decoded<typeof classifierMetrics>;

const rejection = object({
  line: optional(number, null),
  column: optional(string, null),
  reason: string,
});
export type Rejection = Decoded<typeof rejection>;

const report = object({
  batch_id: string,
  file_name: optional(string, null),
  uploaded_at: optional(string, null),
  status: optional(string, 'complete'),
  schema: optional(string, null),
  models: optional(array(object({ role: string, name: string, version: string })), []),
  rows_read: number,
  rows_scored: number,
  rows_rejected: number,
  rejections: optional(array(rejection), []),
  ignored_columns: optional(array(string), []),
  notes: optional(array(string), []),
  threats: optional(number, 0),
  attack_types: optional(dictionary(number), {}),
  seconds: optional(number, null),
  capture: optional(
    object({
      frames: number,
      packets: number,
      flows: number,
      not_decoded: optional(dictionary(number), {}),
      cut_short: optional(number, 0),
      evicted: optional(number, 0),
      fragments: optional(object({ seen: number, orphans: number, overlapping: number }), null),
    }),
    null,
  ),
  labelled: optional(
    object({
      rows: number,
      detector: optional(detectorMetrics, null),
      classifier: optional(classifierMetrics, null),
    }),
    null,
  ),
});
export type BatchReport = Decoded<typeof report>;
export type CaptureReport = NonNullable<BatchReport['capture']>;

export function fetchJob(id: string, signal?: AbortSignal): Promise<Job> {
  return getJson(`/jobs/${encodeURIComponent(id)}`, job, signal);
}

export async function fetchJobs(signal?: AbortSignal): Promise<Job[]> {
  return (await getJson('/jobs', object({ jobs: array(job) }), signal)).jobs;
}

export async function fetchBatches(signal?: AbortSignal): Promise<Batch[]> {
  return (await getJson('/upload/batches', object({ batches: array(batch) }), signal)).batches;
}

export function fetchBatchReport(batchId: string, signal?: AbortSignal): Promise<BatchReport> {
  return getJson(`/upload/batch/${encodeURIComponent(batchId)}/report`, report, signal);
}

export interface Upload {
  readonly accepted: Promise<AcceptedUpload>;
  abort(): void;
}

const CAPTURE_NAME = /\.(pcap|pcapng|cap)(\.(gz|zst))?$/i;

/** Whether a file goes where captures go; the server decides by its content what it is. */
export function isCaptureName(name: string): boolean {
  return CAPTURE_NAME.test(name);
}

/**
 * Sends a file as a job. `fetch` cannot report how much of a body has left the
 * machine, so this is the one place that uses XMLHttpRequest.
 */
export function uploadFile(
  file: File,
  onSent: (sentBytes: number, ofBytes: number) => void,
): Upload {
  const request = new XMLHttpRequest();
  const body = new FormData();
  body.append('file', file, file.name);
  const answer = new Promise<AcceptedUpload>((resolve, reject) => {
    request.upload.addEventListener('progress', (event) => {
      onSent(event.loaded, event.lengthComputable ? event.total : file.size);
    });
    request.addEventListener('load', () => {
      const answerBody = parseJson(request.responseText);
      if (request.status < 200 || request.status >= 300) {
        reject(new ApiError(request.status, detailOf(answerBody, request.status)));
        return;
      }
      try {
        resolve(accepted(answerBody, 'answer'));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    request.addEventListener('error', () => {
      reject(
        new ApiError(
          0,
          'The connection broke before the server had the whole file. It may be larger than the server accepts, or the server may have stopped.',
        ),
      );
    });
    request.addEventListener('abort', () => {
      reject(new ApiError(0, 'The upload was cancelled.'));
    });
  });
  const kind = isCaptureName(file.name) ? 'capture' : 'csv';
  request.open('POST', `/api/v1/upload/${kind}?mode=job`);
  request.setRequestHeader('accept', 'application/json');
  request.send(body);
  return {
    accepted: answer,
    abort: () => {
      request.abort();
    },
  };
}
