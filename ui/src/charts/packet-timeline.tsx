import type { Moment } from '../api/verdicts.ts';
import { formatSeconds, plural } from '../format/numbers.ts';
import { layOutPackets } from './packet-timeline-geometry.ts';
import { useWidth } from './use-width.ts';

const HALF = 70;
const SIDE = 14;
const EMPTY_TICK = 5;

/** The first packets of a flow: forward ones upwards, backward ones downwards. */
export function PacketTimeline({ timeline }: { timeline: readonly Moment[] }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  return (
    <div ref={ref} className="chart-box">
      {width > 0 && <Drawing timeline={timeline} width={width} />}
      <div className="legend">
        <span className="key key-forward">forward, upwards</span>
        <span className="key key-backward">backward, downwards</span>
        <span className="legend-note">
          Distances grow with the logarithm of the time between packets, heights with the square
          root of the payload.
        </span>
      </div>
    </div>
  );
}

function Drawing({ timeline, width }: { timeline: readonly Moment[]; width: number }) {
  const marks = layOutPackets(timeline);
  const x = (share: number): number => SIDE + share * (width - 2 * SIDE);
  return (
    <svg
      className="packet-timeline"
      width={width}
      height={2 * HALF}
      viewBox={`0 0 ${width} ${2 * HALF}`}
      role="img"
      aria-label={`The first ${plural(timeline.length, 'packet')} of the flow. The table below lists them.`}
    >
      <line className="grid-line" x1={0} x2={width} y1={HALF} y2={HALF} />
      {timeline.map((moment, index) => {
        const mark = marks[index];
        if (mark === undefined) return null;
        const length = Math.max(EMPTY_TICK, mark.height * (HALF - 8));
        return (
          <line
            key={index}
            className={`packet ${mark.backward ? 'backward' : 'forward'} ${moment.payload_bytes === 0 ? 'is-empty' : ''}`}
            x1={x(mark.x)}
            x2={x(mark.x)}
            y1={HALF}
            y2={mark.backward ? HALF + length : HALF - length}
          >
            <title>{packetWords(moment)}</title>
          </line>
        );
      })}
    </svg>
  );
}

function packetWords(moment: Moment): string {
  const flags = moment.flags === '' ? '' : `, ${moment.flags}`;
  return `${moment.direction} after ${formatSeconds(moment.offset_seconds)}: ${plural(moment.payload_bytes, 'byte')}${flags}`;
}
