import { expect, test } from 'vitest';
import type { DriftRecord } from '../api/monitoring.ts';
import { columnsOf, levelOf, movedMost } from './drift-levels.ts';

function column(feature: string, psi: number | null) {
  return {
    feature,
    verdict: 'stable',
    psi,
    psi_beyond_chance: psi,
    statistic: null,
    adjusted_p: null,
    missing: [],
    unseen: 0,
  };
}

function record(psis: Readonly<Record<string, number | null>>, score: number | null): DriftRecord {
  return {
    model_id: 'm',
    at: '2026-01-01T00:00:00Z',
    value: {
      rows: 5000,
      at: null,
      has_drifted: false,
      drifted: [],
      columns: Object.entries(psis).map(([name, psi]) => column(name, psi)),
      score: score === null ? null : column('score', score),
      silent: null,
    },
  };
}

test('levels follow the usual limits', () => {
  expect([null, 0, 0.09, 0.1, 0.25, 0.99, 1, 7].map(levelOf)).toEqual([0, 0, 0, 1, 2, 2, 3, 3]);
});

test('what moved most in any window comes first, after the score', () => {
  const first = record({ a: 0.1, b: 0.5, c: null }, 0.01);
  const records = [first, record({ a: 0.9, b: 0 }, null)];
  expect(movedMost(records)).toEqual(['score', 'a', 'b', 'c']);
  expect(columnsOf(first).map((one) => one.feature)).toEqual(['score', 'a', 'b', 'c']);
});

test('a model with many features shows some of them', () => {
  const many = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`f${at}`, at / 10]));
  expect(movedMost([record(many, null)])).toHaveLength(16);
});
