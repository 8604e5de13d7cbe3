import type { Moment } from '../api/verdicts.ts';

/** A packet's place in the drawing: fractions of the width, and of half the height. */
export interface Mark {
  readonly x: number;
  readonly height: number;
  readonly backward: boolean;
}

/** Gaps between packets are from microseconds to minutes: each counts by its logarithm. */
function gapWeight(seconds: number): number {
  return 1 + Math.max(0, Math.log10(Math.max(seconds, 0) * 1e6 + 1));
}

/**
 * Places packets from left to right. The distance of two grows with the logarithm of the time
 * between them, the height of each with the square root of its payload; an empty one has a height
 * of 0.
 */
export function layOutPackets(timeline: readonly Moment[]): Mark[] {
  const most = Math.max(1, ...timeline.map((moment) => moment.payload_bytes));
  let at = 0;
  const places = timeline.map((moment, index) => {
    const before = timeline[index - 1];
    if (before !== undefined) at += gapWeight(moment.offset_seconds - before.offset_seconds);
    return at;
  });
  return timeline.map((moment, index) => ({
    x: at === 0 ? 0.5 : (places[index] ?? 0) / at,
    height: Math.sqrt(moment.payload_bytes / most),
    backward: moment.direction === 'backward',
  }));
}
