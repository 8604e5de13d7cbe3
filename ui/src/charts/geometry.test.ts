import { describe, expect, test } from 'vitest';
import { accuracyOf, macroMean, rowShares, shadeOf } from './confusion-metrics.ts';
import { linearScale, padded, ticks } from './scale.ts';
import { layOutWaterfall, thresholdOnAxis } from './waterfall-geometry.ts';

function layOut(contributions: number[], maxFeatures: number, margin?: number) {
  const baseValue = -0.3;
  return layOutWaterfall({
    baseValue,
    margin: margin ?? contributions.reduce((sum, item) => sum + item, baseValue),
    contributions: contributions.map((contribution, index) => ({
      feature: `f${index}`,
      value: index,
      contribution,
    })),
    maxFeatures,
  });
}

describe('waterfall', () => {
  test('bars are joined end to end from the base value to the margin', () => {
    const drawn = layOut([0.5, -2, 1], 12);
    expect(drawn.steps.map((step) => step.label)).toEqual(['f1', 'f2', 'f0']);
    let position = drawn.baseValue;
    for (const step of drawn.steps) {
      expect(step.from).toBe(position);
      position = step.to;
    }
    expect(position).toBeCloseTo(drawn.margin, 12);
    expect(drawn.gap).toBe(0);
    expect(drawn.domain[0]).toBeCloseTo(-2.3, 12);
    expect(drawn.domain[1]).toBeCloseTo(-0.3, 12);
  });

  test('what is left becomes one bar, unless it is a single feature', () => {
    const many = layOut([5, 4, 3, 2, 1], 3);
    expect(many.steps.map((step) => [step.kind, step.label, step.contribution])).toEqual([
      ['feature', 'f0', 5],
      ['feature', 'f1', 4],
      ['feature', 'f2', 3],
      ['others', '2 other features', 3],
    ]);
    expect(layOut([4, 3, 2, 1], 3).steps.every((step) => step.kind === 'feature')).toBe(true);
  });

  test('an explanation that does not add up is reported', () => {
    expect(layOut([1], 12, 2).gap).toBeCloseTo(1.3, 12);
    expect(layOut([], 12).steps).toEqual([]);
  });

  test('the threshold lies on the axis of the stage', () => {
    const onAxis = (
      output: string,
      threshold: number | null,
      probability = 0.5,
      known: number | null = null,
    ): number | null =>
      thresholdOnAxis({
        output,
        threshold,
        probability,
        margin: output === 'log-odds' ? 0 : 0.5,
        threshold_margin: known,
      });
    expect(onAxis('log-odds', 0.5)).toBe(0);
    expect(onAxis('probability', 0.4)).toBe(0.4);
    expect(onAxis('log-odds', 1)).toBeNull();
    expect(onAxis('probability', null)).toBeNull();
    // Calibrated: the line would stand in the wrong place, unless the server knows it.
    expect(onAxis('log-odds', 0.5, 0.7)).toBeNull();
    expect(onAxis('log-odds', 0.5, 0.7, -0.2)).toBe(-0.2);
  });
});

describe('scale', () => {
  test('ticks are round and inside the range', () => {
    expect(ticks([-1.3, 4.2], 5)).toEqual([0, 2, 4]);
    expect(ticks([0, 1], 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks([2, 2], 5)).toEqual([2]);
  });

  test('a range without width maps to the middle', () => {
    expect(linearScale([3, 3], [0, 100])(3)).toBe(50);
    expect(linearScale([0, 2], [0, 100])(0.5)).toBe(25);
    expect(padded([0, 10], 0.1)).toEqual([-1, 11]);
    expect(padded([0, 0], 0.1)).toEqual([-0.1, 0.1]);
  });
});

test('confusion matrix shares, shades and accuracy', () => {
  expect(rowShares([[3, 1], [0, 0]])).toEqual([[0.75, 0.25], [0, 0]]); // prettier-ignore
  expect(accuracyOf([[3, 1], [0, 4]])).toBe(0.875); // prettier-ignore
  expect(accuracyOf([[0, 0], [0, 0]])).toBeNull(); // prettier-ignore
  expect([0, 0.001, 0.2, 0.5, 0.99, 1].map(shadeOf)).toEqual([0, 1, 1, 3, 5, 5]);
  expect(macroMean([1, null, 0.5])).toBe(0.75);
  expect(macroMean([null])).toBeNull();
});
