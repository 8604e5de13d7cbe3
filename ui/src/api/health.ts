import { getJsonOfAnyStatus } from './http.ts';
import { boolean, type Decoded, dictionary, number, object, optional, string } from './shape.ts';

const component = optional(
  object({ status: optional(string, 'unknown'), message: optional(string, null) }),
  null,
);

const modelCheck = object({
  loaded: boolean,
  version: optional(string, null),
  model_type: optional(string, null),
});

const sourceCheck = object({
  status: string,
  message: optional(string, null),
  enabled: optional(boolean, false),
});

const health = object({
  status: string,
  checks: optional(
    object({
      database: component,
      kafka: component,
      consumers: optional(dictionary(component), {}),
      models: optional(dictionary(optional(modelCheck, null)), {}),
      sources: optional(dictionary(sourceCheck), {}),
      websocket: optional(object({ connections: optional(number, null) }), null),
    }),
    null,
  ),
});
export type Health = Decoded<typeof health>;

/** An unhealthy server may answer 503, with the same body. */
export function fetchHealth(signal?: AbortSignal): Promise<Health> {
  return getJsonOfAnyStatus('/health/detailed', health, signal);
}

export interface HealthProblem {
  readonly subject: string;
  readonly problem: string;
}

const FINE = new Set(['ok', 'healthy', 'connected', 'up', 'disabled', 'not_configured']);
const BAD = new Set(['error', 'unhealthy', 'degraded', 'down', 'unavailable', 'failed']);

const MODEL_NAMES: Readonly<Record<string, string>> = {
  threat_detector: 'Threat detector',
  attack_classifier: 'Attack classifier',
};

/** What is wrong, in words an operator can act on; empty when all is well. */
export function healthProblems(state: Health): HealthProblem[] {
  if (state.checks === null) return [];
  const { database, kafka, consumers, models, sources } = state.checks;
  const problems: HealthProblem[] = [];
  const note = (subject: string, check: Decoded<typeof component>): void => {
    if (check === null) return;
    // A word this version does not know is only bad news where the whole is.
    const isWrong = state.status === 'healthy' ? BAD.has(check.status) : !FINE.has(check.status);
    if (!isWrong) return;
    problems.push({ subject, problem: check.message ?? check.status });
  };
  note('Database', database);
  note('Kafka', kafka);
  for (const [name, check] of Object.entries(consumers)) note(`Consumer ${name}`, check);
  for (const [name, check] of Object.entries(models)) {
    if (check?.loaded === false) {
      problems.push({ subject: MODEL_NAMES[name] ?? name, problem: 'no model is loaded' });
    }
  }
  for (const [name, check] of Object.entries(sources)) {
    if (!check.enabled || check.status === 'running') continue;
    const reason = check.message === null ? '' : ` (${check.message})`;
    problems.push({ subject: `Source ${name}`, problem: `${check.status}${reason}` });
  }
  return problems;
}
