import { expect, test } from 'vitest';
import { type Health, healthProblems } from './health.ts';
import { detailOf } from './http.ts';
import { array, number, object, optional, string } from './shape.ts';
import { ALL_VERDICTS, verdictQuery } from './verdicts.ts';

test('a decoder names the place that is wrong', () => {
  const decoder = object({ rows: array(object({ name: string, size: optional(number, null) })) });
  expect(decoder({ rows: [{ name: 'a' }] }, 'answer')).toEqual({
    rows: [{ name: 'a', size: null }],
  });
  expect(() => decoder({ rows: [{ name: 1 }] }, 'answer')).toThrow(
    "the server's answer has no text at answer.rows[0].name",
  );
  expect(() => decoder('<html>', 'answer')).toThrow("the server's answer has no object at answer");
});

test('the detail of an error is shown in both shapes', () => {
  expect(detailOf({ detail: 'File must be a CSV' }, 400)).toBe('File must be a CSV');
  expect(detailOf({ detail: [{ msg: 'x' }] }, 422)).toBe('[{"msg":"x"}]');
  expect(detailOf('<html>', 502)).toBe('The server answered with status 502 and gave no reason.');
});

test('only the filters that are set become parameters', () => {
  expect(verdictQuery(ALL_VERDICTS, 100, null)).toBe('limit=100');
  expect(
    verdictQuery({ threatsOnly: true, attackClass: 'Web Attack – XSS', batchId: 'b&1' }, 5, 'c='),
  ).toBe(
    'limit=5&threats_only=true&attack_class=Web+Attack+%E2%80%93+XSS&batch_id=b%261&before=c%3D',
  );
});

function checkHealth(
  checks: Partial<NonNullable<Health['checks']>>,
  expected: string[],
  status = 'degraded',
): void {
  const state: Health = {
    status,
    checks: {
      database: null,
      kafka: null,
      consumers: {},
      models: {},
      sources: {},
      websocket: null,
      ...checks,
    },
  };
  expect(healthProblems(state).map((item) => `${item.subject}: ${item.problem}`)).toEqual(expected);
}

test('health problems name what is wrong and nothing that is fine', () => {
  checkHealth({ kafka: { status: 'disabled', message: 'off' } }, []);
  checkHealth({ database: { status: 'error', message: 'disk full' } }, ['Database: disk full']);
  checkHealth({ kafka: { status: 'resting', message: null } }, ['Kafka: resting']);
  checkHealth({ kafka: { status: 'resting', message: null } }, [], 'healthy');
  checkHealth(
    {
      consumers: { external: { status: 'degraded', message: null } },
      models: {
        threat_detector: { loaded: false, version: null, model_type: null },
        attack_classifier: { loaded: true, version: '1', model_type: null },
      },
    },
    ['Consumer external: degraded', 'Threat detector: no model is loaded'],
  );
  checkHealth(
    {
      sources: {
        packet_capture: { status: 'retrying', message: 'v0 is down', enabled: true },
        external_kafka: { status: 'running', message: null, enabled: true },
        internal_kafka: { status: 'stopped', message: 'off', enabled: false },
      },
    },
    ['Source packet_capture: retrying (v0 is down)'],
  );
});
