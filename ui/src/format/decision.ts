import type { Verdict } from '../api/verdicts.ts';
import { formatProbability } from './numbers.ts';

/** The parts of a verdict that decide how it reads. */
export type Decision = Pick<Verdict, 'threat' | 'attack'>;

/** Whether to show a verdict as a threat; without a detector the attack class decides. */
export function isThreat({ threat, attack }: Decision): boolean {
  if (threat !== null) return threat.is_threat;
  return attack !== null && !isNormalClass(attack.class);
}

export function isNormalClass(name: string): boolean {
  return ['normal', 'benign'].includes(name.toLowerCase());
}

/** The probability a verdict is ranked by: the detector's, else the classifier's confidence. */
export function rankingProbability({ threat, attack }: Decision): number | null {
  return threat?.probability ?? attack?.confidence ?? null;
}

/** "DoS (neptune)": the class, and the finer name where the classifier gave one. */
export function attackName({ attack }: Decision): string | null {
  if (attack === null) return null;
  const finer = attack.named?.label;
  if (finer === undefined || finer.toLowerCase() === attack.class.toLowerCase()) {
    return attack.class;
  }
  return `${attack.class} (${finer})`;
}

/** The decision in one sentence. */
export function decisionSentence(decision: Decision): string {
  const { threat, attack } = decision;
  const name = attackName(decision);
  if (threat === null) {
    if (name === null || attack === null) return 'No model has judged this record.';
    const subject = isNormalClass(attack.class) ? 'No threat' : `Threat: ${name}`;
    const confidence =
      attack.confidence === null
        ? 'by the classifier'
        : `with confidence ${formatProbability(attack.confidence)}`;
    return `${subject} ${confidence}; this schema has no separate threat detector.`;
  }
  const probability = formatProbability(threat.probability);
  const threshold = formatProbability(threat.threshold);
  if (!threat.is_threat) {
    return `No threat: the probability of an attack is ${probability}, not above the threshold ${threshold}.`;
  }
  const subject = name === null ? 'Threat of an unnamed class' : `Threat: ${name}`;
  return `${subject} with probability ${probability}, above the threshold ${threshold}.`;
}
