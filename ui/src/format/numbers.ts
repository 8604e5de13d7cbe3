const COUNT = new Intl.NumberFormat('en-GB');
const MINUS = '\u2212';
/** What stands where there is no number; never a zero in its place. */
export const NO_VALUE = '–';

export function formatCount(count: number): string {
  return COUNT.format(count);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A share of 0–1 in per cent; a share that is not exactly 0 or 1 is never shown as 0 % or 100 %. */
export function formatShare(share: number | null): string {
  if (share === null || !Number.isFinite(share)) return NO_VALUE;
  const percent = share * 100;
  if (percent > 0 && percent < 0.05) return '< 0.1 %';
  if (percent < 100 && percent >= 99.95) return '> 99.9 %';
  return `${percent === 0 || percent === 100 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

/** A probability; one that is not exactly 0 or 1 is never rounded to either. */
export function formatProbability(probability: number | null, digits = 2): string {
  if (probability === null || !Number.isFinite(probability)) return NO_VALUE;
  if (probability === 0 || probability === 1) return probability.toFixed(digits);
  const smallest = 10 ** -digits;
  if (probability < smallest / 2) return `< ${smallest.toFixed(digits)}`;
  if (probability >= 1 - smallest / 2) return `> ${(1 - smallest).toFixed(digits)}`;
  return probability.toFixed(digits);
}

/** A metric such as F1, or the dash where it is not defined (nothing to divide by). */
export function formatMetric(metric: number | null): string {
  return formatProbability(metric, 3);
}

export function formatContribution(contribution: number): string {
  const digits = Math.abs(contribution) >= 0.0995 ? 2 : 3;
  const magnitude = Math.abs(contribution).toFixed(digits);
  return contribution < 0 ? `${MINUS}${magnitude}` : `+${magnitude}`;
}

/** A point on the margin axis: signed, without the plus of a contribution. */
export function formatMargin(margin: number): string {
  const magnitude = Math.abs(margin).toFixed(2);
  return margin < 0 && magnitude !== '0.00' ? `${MINUS}${magnitude}` : magnitude;
}

/** A feature's value as it was measured, shortened only where digits carry nothing. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return 'missing';
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return COUNT.format(value).replace('-', MINUS);
    const magnitude = Math.abs(value);
    if (magnitude >= 0.001 && magnitude < 1e9) return String(Number(value.toPrecision(6)));
    return value.toExponential(3);
  }
  if (typeof value === 'string') return value === '' ? '(empty)' : value;
  return JSON.stringify(value);
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let scaled = bytes;
  let unit = 'B';
  for (const next of units) {
    if (scaled < 1_000) break;
    scaled /= 1_000;
    unit = next;
  }
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${unit}`;
}

export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes} min ${Math.round(seconds - minutes * 60)} s`;
}

/** Cuts a long label for a drawing; the whole text belongs into a title beside it. */
export function shorten(text: string, maxLetters: number): string {
  const letters = Array.from(text);
  if (letters.length <= maxLetters) return text;
  return `${letters.slice(0, Math.max(1, maxLetters - 1)).join('')}…`;
}
