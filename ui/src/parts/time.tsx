import { NO_VALUE } from '../format/numbers.ts';
import { formatTime } from '../format/time.ts';

/** A server time in the reader's zone; the exact UTC time is in its title. */
export function Time({ at, form = 'full' }: { at: string | null; form?: 'full' | 'short' }) {
  if (at === null) return <>{NO_VALUE}</>;
  return (
    <time dateTime={at} title={at}>
      {formatTime(at, form)}
    </time>
  );
}
