const OUTCOMES: Readonly<Record<string, string>> = {
  true_alarm: 'true alarm',
  false_alarm: 'false alarm',
  missed_attack: 'missed attack',
  rightly_passed: 'rightly passed',
};

/** What a label makes of the detector's decision. */
export function outcomeWords(outcome: string | null, isAttack: boolean): string {
  if (outcome === null) return isAttack ? 'attack' : 'no attack';
  return OUTCOMES[outcome] ?? outcome.replaceAll('_', ' ');
}

const TONES: Readonly<Record<string, string>> = {
  accepted: 'tone-good',
  quarantined: 'tone-warn',
  rejected: 'tone-quiet',
};

export function stateTone(state: string): string {
  return TONES[state] ?? 'tone-quiet';
}
