import type { Decision } from '../format/decision.ts';
import { boolean, number, object, optional, string } from './shape.ts';
import { parseJson } from './http.ts';

const message = object({
  data: object({
    timestamp: string,
    traffic_data_id: string,
    threat_prediction: optional(
      object({ prediction_score: number, is_attack: boolean, threshold: number }),
      null,
    ),
    attack_prediction: optional(
      object({ attack_type_name: string, confidence: optional(number, null) }),
      null,
    ),
    source: optional(string, ''),
  }),
});

/** A verdict as it fell. */
export interface LiveVerdict {
  readonly id: string;
  readonly at: string;
  readonly source: string;
  readonly decision: Decision;
}

/** Reads one `prediction` of the stream. */
export function liveVerdict(text: string): LiveVerdict {
  const { data } = message(parseJson(text), 'message');
  const { threat_prediction: threat, attack_prediction: attack } = data;
  return {
    id: data.traffic_data_id,
    at: data.timestamp,
    source: data.source,
    decision: {
      threat: threat && {
        probability: threat.prediction_score,
        is_threat: threat.is_attack,
        threshold: threat.threshold,
        model: '',
        model_version: '',
      },
      attack: attack && {
        class: attack.attack_type_name,
        class_id: null,
        is_attack: null,
        confidence: attack.confidence,
        named: null,
        model: '',
        model_version: '',
      },
    },
  };
}

export type Connection = 'connecting' | 'open' | 'lost';

interface Listener {
  readonly heard: (verdict: LiveVerdict) => void;
  readonly connection: (connection: Connection) => void;
  readonly failed: (error: Error) => void;
}

const RETRY_MILLIS = 3_000;

/** Listens until the returned function is called. A connection that breaks is taken up again. */
export function listen({ heard, connection, failed }: Listener): () => void {
  let source: EventSource | null = null;
  let retry: number | undefined;
  const open = (): void => {
    connection('connecting');
    const stream = new EventSource('/api/v1/stream');
    source = stream;
    stream.onopen = () => {
      connection('open');
    };
    stream.onerror = () => {
      connection('lost');
      // The browser takes up what broke, but not what was refused.
      if (stream.readyState !== EventSource.CLOSED) return;
      retry = window.setTimeout(open, RETRY_MILLIS);
    };
    stream.addEventListener('prediction', (event: MessageEvent<string>) => {
      try {
        heard(liveVerdict(event.data));
      } catch (error) {
        failed(error instanceof Error ? error : new Error(String(error)));
      }
    });
  };
  open();
  return () => {
    window.clearTimeout(retry);
    source?.close();
  };
}
