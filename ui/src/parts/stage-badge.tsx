const TONES: Readonly<Record<string, string>> = {
  active: 'tone-good',
  canary: 'tone-warn',
  shadow: 'tone-busy',
  candidate: 'tone-quiet',
  retired: 'tone-quiet',
};

/** Where a version of a model stands. */
export function StageBadge({ stage }: { stage: string }) {
  return <span className={`badge ${TONES[stage] ?? 'tone-quiet'}`}>{stage}</span>;
}
