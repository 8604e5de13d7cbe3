import { getJson, postJson } from './http.ts';
import { array, boolean, type Decoded, number, object, optional, string } from './shape.ts';

const testTraffic = object({
  is_enabled: boolean,
  topic: optional(string, null),
  streams: array(
    object({
      id: number,
      model_type: string,
      count: number,
      done: number,
      interval: number,
      started_at: string,
    }),
  ),
  books: object({
    generated: number,
    scored: number,
    sent: number,
    rejected: number,
    dropped: number,
  }),
  last_error: optional(string, null),
});
export type TestTraffic = Decoded<typeof testTraffic>;

const done = object({ message: string });
export type Done = Decoded<typeof done>;

/** What is to be generated. What can be accepted is the server's to say. */
export interface StreamOrder {
  readonly count: unknown;
  readonly interval: unknown;
  readonly model_type: string;
}

export function fetchTestTraffic(signal?: AbortSignal): Promise<TestTraffic> {
  return getJson('/test/stream', testTraffic, signal);
}

export function startStream(order: StreamOrder): Promise<Done> {
  return postJson('/test/start-stream', order, done);
}

export function stopStreams(): Promise<Done> {
  return postJson('/test/stop-stream', {}, done);
}
