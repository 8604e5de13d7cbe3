/** Maps a range of values onto a range of pixels. */
export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
}

export function linearScale(
  [low, high]: readonly [number, number],
  [start, end]: readonly [number, number],
): Scale {
  const span = high - low;
  const scale = (value: number): number =>
    span === 0 ? (start + end) / 2 : start + ((value - low) / span) * (end - start);
  return Object.assign(scale, { domain: [low, high] as const });
}

/** Round values inside a range, about `count` of them, in steps of 1, 2 or 5 times a power of ten. */
export function ticks([low, high]: readonly [number, number], count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((s) => s >= rough) ?? 10 * power;
  const result: number[] = [];
  for (let index = Math.ceil(low / step); index * step <= high + step * 1e-9; index += 1) {
    // Multiplying instead of adding up keeps 0.3 from becoming 0.30000000000000004.
    result.push(Number((index * step).toPrecision(12)));
  }
  return result;
}

/** The domain widened on both sides, so that marks at its ends are not cut. */
export function padded([low, high]: readonly [number, number], share: number): [number, number] {
  const padding = (high - low || Math.abs(high) || 1) * share;
  return [low - padding, high + padding];
}
