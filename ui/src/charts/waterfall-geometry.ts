import type { Contribution, FeatureValue, Stage } from '../api/verdicts.ts';

/** One bar: it starts where the bar above it ended. */
export interface WaterfallStep {
  readonly kind: 'feature' | 'others';
  readonly label: string;
  readonly value: FeatureValue;
  readonly contribution: number;
  readonly from: number;
  readonly to: number;
}

export interface Waterfall {
  readonly steps: readonly WaterfallStep[];
  readonly baseValue: number;
  readonly margin: number;
  /** How far base value and contributions are from the margin the model reports. */
  readonly gap: number;
  readonly domain: readonly [number, number];
}

export interface WaterfallInput {
  readonly baseValue: number;
  readonly margin: number;
  readonly contributions: readonly Contribution[];
  /** Bars of single features; what is left becomes one bar. */
  readonly maxFeatures: number;
}

/** Gaps below this are rounding of the decimal notation, not a wrong explanation. */
const ROUNDING = 1e-6;

/** Lays the contributions end to end from the base value, largest first. */
export function layOutWaterfall(input: WaterfallInput): Waterfall {
  const ordered = [...input.contributions].sort(
    (a, b) => Math.abs(b.contribution) - Math.abs(a.contribution),
  );
  // One feature alone is shown by its name: "1 other" would take the same room and say less.
  const shown = ordered.length <= input.maxFeatures + 1 ? ordered.length : input.maxFeatures;
  let position = input.baseValue;
  const steps: WaterfallStep[] = ordered.slice(0, shown).map((item) => {
    const from = position;
    position += item.contribution;
    return {
      kind: 'feature',
      label: item.feature,
      value: item.value,
      contribution: item.contribution,
      from,
      to: position,
    };
  });
  const rest = ordered.slice(shown);
  if (rest.length > 0) {
    const contribution = rest.reduce((sum, item) => sum + item.contribution, 0);
    const from = position;
    position += contribution;
    steps.push({
      kind: 'others',
      label: `${rest.length} other features`,
      value: null,
      contribution,
      from,
      to: position,
    });
  }
  const marks = [input.baseValue, input.margin, ...steps.map((step) => step.to)];
  const difference = input.margin - position;
  return {
    steps,
    baseValue: input.baseValue,
    margin: input.margin,
    gap: Math.abs(difference) <= ROUNDING * Math.max(1, Math.abs(input.margin)) ? 0 : difference,
    domain: [Math.min(...marks), Math.max(...marks)],
  };
}

/**
 * Whether a stage's probability is the plain reading of its margin. A calibrated
 * model bends the one into the other by a curve that the answer does not carry.
 */
export function isPlainReading(stage: Pick<Stage, 'output' | 'margin' | 'probability'>): boolean {
  if (stage.probability === null) return false;
  const plain = stage.output === 'log-odds' ? 1 / (1 + Math.exp(-stage.margin)) : stage.margin;
  return Math.abs(plain - stage.probability) < ROUNDING;
}

/** Where the threshold lies on a stage's margin axis; null where that is not known. */
export function thresholdOnAxis(
  stage: Pick<Stage, 'output' | 'margin' | 'probability' | 'threshold' | 'threshold_margin'>,
): number | null {
  const { threshold, threshold_margin: onAxis, output } = stage;
  if (onAxis !== null) return onAxis;
  if (threshold === null || !isPlainReading(stage)) return null;
  if (output !== 'log-odds') return threshold;
  if (threshold <= 0 || threshold >= 1) return null;
  return Math.log(threshold / (1 - threshold));
}
