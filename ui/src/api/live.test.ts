import { expect, test } from 'vitest';
import { isThreat } from '../format/decision.ts';
import { liveVerdict } from './live.ts';

const told = (data: object): string =>
  JSON.stringify({ type: 'prediction', data: { timestamp: 't', traffic_data_id: 'v', ...data } });

test('a verdict is read in the form of the stream', () => {
  const threat = { prediction_score: 0.9, is_attack: true, threshold: 0.5 };
  const verdict = liveVerdict(told({ threat_prediction: threat, source: 'realtime' }));
  expect([verdict.id, verdict.at, verdict.source]).toEqual(['v', 't', 'realtime']);
  expect(isThreat(verdict.decision)).toBe(true);
  const attack = { attack_type_name: 'BENIGN', confidence: 0.7 };
  expect(isThreat(liveVerdict(told({ attack_prediction: attack })).decision)).toBe(false);
});

test('what is no verdict is called so', () => {
  expect(() => liveVerdict('no JSON')).toThrow("the server's answer has no object");
  expect(() => liveVerdict('{"data":{}}')).toThrow('no text at message.data.timestamp');
});
