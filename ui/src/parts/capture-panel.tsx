import type { CaptureReport } from '../api/uploads.ts';
import { formatCount } from '../format/numbers.ts';
import { Facts } from './facts.tsx';
import { Panel } from './panel.tsx';

/** What became of the frames of a capture. */
export function CapturePanel({ capture }: { capture: CaptureReport }) {
  const causes = Object.entries(capture.not_decoded);
  const missed = causes.reduce((sum, [, count]) => sum + count, 0);
  return (
    <Panel title="Capture" note="Every frame is a packet of a flow, or counted here by its cause.">
      <Facts
        facts={[
          ['Frames', formatCount(capture.frames)],
          ['Packets', formatCount(capture.packets)],
          ['Flows', formatCount(capture.flows)],
          ['Not decoded', formatCount(missed)],
          ...causes.map(
            ([cause, count]) => [`… ${cause.replaceAll('_', ' ')}`, formatCount(count)] as const,
          ),
          ['Captured in part', formatCount(capture.cut_short)],
          ...(capture.fragments === null
            ? []
            : [
                ['IP fragments', formatCount(capture.fragments.seen)] as const,
                ['… without their first one', formatCount(capture.fragments.orphans)] as const,
                ['… that overlap', formatCount(capture.fragments.overlapping)] as const,
              ]),
          ['Flows ended for lack of room', formatCount(capture.evicted)],
        ]}
      />
    </Panel>
  );
}
