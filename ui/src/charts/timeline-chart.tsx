import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Timeline } from '../api/predictions.ts';
import { formatCount } from '../format/numbers.ts';
import { formatBucket, formatTime } from '../format/time.ts';
import { useWidth } from './use-width.ts';

const HEIGHT = 232;
const DARK = window.matchMedia('(prefers-color-scheme: dark)');

/** Counts per time bucket: all verdicts, and in front of them the threats among them. */
export function TimelineChart({ timeline }: { timeline: Timeline }) {
  const [box, width] = useWidth<HTMLDivElement>();
  const mount = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const dark = useSyncExternalStore(subscribeToScheme, () => DARK.matches);
  const ready = width > 0;

  // The plot is made again only for another colour scheme: it reads its colours once.
  useEffect(() => {
    const target = mount.current;
    if (!ready || target === null) return;
    const created = new uPlot(plotOptions(setCursor), [[], [], []], target);
    plot.current = created;
    return () => {
      plot.current = null;
      created.destroy();
    };
  }, [ready, dark]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height: HEIGHT });
  }, [width, dark]);

  useEffect(() => {
    plot.current?.setData([
      timeline.points.map((point) => Date.parse(point.start) / 1_000),
      timeline.points.map((point) => point.total),
      timeline.points.map((point) => point.threats),
    ]);
  }, [timeline, ready, dark]);

  const hovered = cursor === null ? undefined : timeline.points[cursor];
  return (
    <div ref={box} className="chart-box">
      <p className="legend">
        <span className="key key-total">All verdicts</span>
        <span className="key key-threat">Threats</span>
        <span className="legend-note">
          {hovered === undefined
            ? `per ${formatBucket(timeline.bucket_seconds)}`
            : `${formatTime(hovered.start, 'short')}: ${formatCount(hovered.total)} verdicts, ${formatCount(hovered.threats)} threats`}
        </span>
      </p>
      <div ref={mount} className="timeline-plot" aria-hidden="true" />
    </div>
  );
}

function subscribeToScheme(notify: () => void): () => void {
  DARK.addEventListener('change', notify);
  return () => {
    DARK.removeEventListener('change', notify);
  };
}

function plotOptions(setCursor: (index: number | null) => void): uPlot.Options {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string): string => styles.getPropertyValue(name).trim();
  const font = `12px ${colour('--font')}`;
  const axis = { stroke: colour('--text-2'), font, ticks: { show: false } };
  const grid = { stroke: colour('--grid'), width: 1 };
  const bars = uPlot.paths.bars?.({ size: [0.8, 40], align: 1 });
  const series = (name: string): uPlot.Series => ({
    fill: colour(name),
    stroke: colour(name),
    width: 0,
    points: { show: false },
    ...(bars ? { paths: bars } : {}),
  });
  return {
    width: 320,
    height: HEIGHT,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    hooks: {
      setCursor: [
        (created) => {
          setCursor(created.cursor.idx ?? null);
        },
      ],
    },
    scales: {
      // A bar begins at its bucket's start, so the last one needs the length of a bucket more.
      x: { range: (plot, min, max) => [min, max + bucketSeconds(plot)] },
      y: { range: (_, __, max) => [0, Math.max(4, max * 1.05)] },
    },
    axes: [
      { ...axis, grid: { show: false }, values: timeLabels, space: 70, size: 30 },
      {
        ...axis,
        grid,
        size: 48,
        // Counts are whole: a scale of halves would only repeat labels.
        incrs: [1, 2, 5, 10, 20, 50]
          .flatMap((step) => [1, 100, 1e4, 1e6].map((p) => step * p))
          .sort((a, b) => a - b),
        values: (_, splits) => splits.map((split) => formatCount(split)),
      },
    ],
    series: [{}, series('--chart-total'), series('--chart-threat')],
  };
}

function bucketSeconds(plot: uPlot): number {
  const [first, second] = plot.data[0];
  return first === undefined || second === undefined ? 60 : second - first;
}

/** 24-hour clock, and the day where the axis is longer than one. */
function timeLabels(_plot: uPlot, splits: number[]): string[] {
  const span = (splits.at(-1) ?? 0) - (splits[0] ?? 0);
  const format = new Intl.DateTimeFormat(
    'en-GB',
    span > 86_400 ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit' },
  );
  return splits.map((split) => format.format(new Date(split * 1_000)));
}
