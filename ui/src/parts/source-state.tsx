import type { SourceState } from '../api/sources.ts';
import { formatCount, NO_VALUE } from '../format/numbers.ts';
import { Facts } from './facts.tsx';
import { sinceWords } from './source-words.ts';
import { Time } from './time.tsx';

const TONES: Readonly<Record<string, string>> = {
  running: 'good',
  failed: 'bad',
  retrying: 'warn',
};

export function SourceBadge({ status }: { status: string }) {
  return <span className={`badge tone-${TONES[status] ?? 'quiet'}`}>{status}</span>;
}

/** Since when a source does what it does, and what it has come to since the server was started. */
export function SourceFigures({ state }: { state: SourceState }) {
  const count = (value: number | null): string => (value === null ? NO_VALUE : formatCount(value));
  return (
    <Facts
      facts={[
        [sinceWords(state.status), <Time key="since" at={state.since} form="short" />],
        ['Frames', count(state.frames)],
        ['Packets', count(state.packets)],
        ['Not decoded', count(state.not_decoded)],
        ['Flows', count(state.flows)],
        ['Verdicts', count(state.verdicts)],
        ['Dropped by the kernel', count(state.dropped_kernel)],
        ['Dropped by the interface', count(state.dropped_interface)],
        ['Dropped by our queue', count(state.dropped_queue)],
      ]}
    />
  );
}
