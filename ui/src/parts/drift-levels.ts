import type { ColumnDrift, DriftRecord } from '../api/monitoring.ts';

/** Features that are drawn; a model may have dozens. */
const MAX_FEATURES = 16;

/** 0 little, 1 some, 2 much, 3 very much: the usual limits of the population stability index. */
export function levelOf(psi: number | null): number {
  if (psi === null || psi < 0.1) return 0;
  if (psi < 0.25) return 1;
  return psi < 1 ? 2 : 3;
}

/** Everything that was measured of a window, the model's probability first. */
export function columnsOf(record: DriftRecord): ColumnDrift[] {
  const { columns, score } = record.value;
  return score === null ? columns : [score, ...columns];
}

/** The features that moved most in any of the windows, and the score. */
export function movedMost(records: readonly DriftRecord[]): string[] {
  const most = new Map<string, number>();
  for (const record of records) {
    for (const column of columnsOf(record)) {
      const psi = column.psi_beyond_chance ?? 0;
      most.set(column.feature, Math.max(psi, most.get(column.feature) ?? 0));
    }
  }
  const scored = [...most.keys()].filter((name) => name === 'score');
  const features = [...most].filter(([name]) => name !== 'score');
  features.sort(([, a], [, b]) => b - a);
  return [...scored, ...features.slice(0, MAX_FEATURES).map(([name]) => name)];
}
