export type Severity = 'critical' | 'high' | 'medium' | 'low';

/** Lowest probability of each severity, highest first. */
const LEVELS: readonly [number, Severity][] = [
  [0.9, 'critical'],
  [0.7, 'high'],
  [0.5, 'medium'],
];

/** How loudly a threat of this probability is shown; a threshold below 0.5 makes low ones possible. */
export function severityOf(probability: number): Severity {
  return LEVELS.find(([lowest]) => probability >= lowest)?.[1] ?? 'low';
}
