import type { Verdict } from '../api/verdicts.ts';
import { formatProbability } from './numbers.ts';

/** The parts of a verdict that decide how it reads. */
export type Decision = Pick<Verdict, 'threat' | 'attack'>;

/** Whether to show a verdict as a threat; without a detector the attack class decides. */
export function isThreat({ threat, attack }: Decision): boolean {
  if (threat !== null) return threat.is_threat;
  return attack !== null && isAttack(attack);
}

function isAttack(attack: NonNullable<Verdict['attack']>): boolean {
  return attack.is_attack ?? !isNormalClass(attack.class);
}

export function isNormalClass(name: string): boolean {
  return ['normal', 'benign'].includes(name.toLowerCase());
}

/** The probability a verdict is ranked by: the detector's, else the classifier's confidence. */
export function rankingProbability({ threat, attack }: Decision): number | null {
  return threat?.probability ?? attack?.confidence ?? null;
}

/** "DoS (neptune)": the class, and the finer name where the classifier gave one; null if no attack. */
export function attackName({ attack }: Decision): string | null {
  if (attack === null || !isAttack(attack)) return null;
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
    if (attack === null) return 'No model has judged this record.';
    const subject = name === null ? 'No threat' : `Threat: ${name}`;
    const confidence =
      attack.confidence === null
        ? 'by the classifier'
        : `with confidence ${formatProbability(attack.confidence)}`;
    return `${subject} ${confidence}; this schema has no separate threat detector.`;
  }
  const [probability, threshold] = distinguishable(threat.probability, threat.threshold);
  if (!threat.is_threat) {
    return `No threat: the probability of an attack is ${probability}, ${sideOf(threat)} the threshold ${threshold}.`;
  }
  const subject = name === null ? 'Threat of an unnamed class' : `Threat: ${name}`;
  return `${subject} with probability ${probability}, ${sideOf(threat)} the threshold ${threshold}.`;
}

function sideOf(threat: { probability: number; threshold: number }): string {
  if (threat.probability === threat.threshold) return 'exactly at';
  return threat.probability > threat.threshold ? 'above' : 'below';
}

/** Both numbers with as many digits as it takes to see which one is larger. */
function distinguishable(probability: number, threshold: number): [string, string] {
  for (const digits of [2, 3, 4, 5]) {
    const pair: [string, string] = [
      formatProbability(probability, digits),
      formatProbability(threshold, digits),
    ];
    if (pair[0] !== pair[1]) return pair;
  }
  return [String(probability), String(threshold)];
}
