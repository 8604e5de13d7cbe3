import { NO_VALUE } from './numbers.ts';

const FULL = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
});
const SHORT = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

/** A server time in the reader's time zone; a time that cannot be read is shown as it came. */
export function formatTime(rfc3339: string | null, form: 'full' | 'short' = 'full'): string {
  if (rfc3339 === null) return NO_VALUE;
  const time = new Date(rfc3339);
  if (Number.isNaN(time.getTime())) return rfc3339;
  return (form === 'full' ? FULL : SHORT).format(time);
}

/** The length of a time bucket as it reads after "per": minute, 5 minutes, hour. */
export function formatBucket(seconds: number): string {
  const units: [number, string][] = [
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  for (const [size, name] of units) {
    if (seconds < size || seconds % size !== 0) continue;
    const count = seconds / size;
    return count === 1 ? name : `${count} ${name}s`;
  }
  return `${seconds} seconds`;
}
