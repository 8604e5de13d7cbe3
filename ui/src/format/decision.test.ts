import { expect, test } from 'vitest';
import { type Decision, decisionSentence, isThreat } from './decision.ts';

type Threat = NonNullable<Decision['threat']>;
type Attack = NonNullable<Decision['attack']>;

function threat(probability: number, isAttack: boolean): Threat {
  return { probability, is_threat: isAttack, threshold: 0.41, model: 'd', model_version: '1' };
}

function attack(name: string, label: string | null): Attack {
  return {
    class: name,
    class_id: 1,
    is_attack: null,
    confidence: 0.97,
    named: label === null ? null : { label, confidence: 0.9 },
    model: 'c',
    model_version: '1',
  };
}

function check(decision: Decision, isAttack: boolean, sentence: string): void {
  expect(decisionSentence(decision)).toBe(sentence);
  expect(isThreat(decision)).toBe(isAttack);
}

test('a decision reads as one sentence', () => {
  check(
    { threat: threat(0.98, true), attack: attack('DoS', 'neptune') },
    true,
    'Threat: DoS (neptune) with probability 0.98, above the threshold 0.41.',
  );
  check(
    { threat: threat(0.98, true), attack: null },
    true,
    'Threat of an unnamed class with probability 0.98, above the threshold 0.41.',
  );
  check(
    { threat: threat(0.03, false), attack: null },
    false,
    'No threat: the probability of an attack is 0.03, below the threshold 0.41.',
  );
});

test('a close decision shows the digits that decide it', () => {
  check(
    { threat: threat(0.4102, true), attack: attack('normal', null) },
    true,
    'Threat of an unnamed class with probability 0.4102, above the threshold 0.4100.',
  );
});

test('a probability at the threshold is called so', () => {
  check(
    { threat: threat(0.41, true), attack: null },
    true,
    'Threat of an unnamed class with probability 0.41, exactly at the threshold 0.41.',
  );
});

test('without a detector the class decides', () => {
  check(
    { threat: null, attack: attack('DoS Hulk', 'DoS Hulk') },
    true,
    'Threat: DoS Hulk with confidence 0.97; this schema has no separate threat detector.',
  );
  check(
    { threat: null, attack: attack('BENIGN', null) },
    false,
    'No threat with confidence 0.97; this schema has no separate threat detector.',
  );
  check({ threat: null, attack: null }, false, 'No model has judged this record.');
});
