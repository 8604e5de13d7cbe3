import { expect, test } from 'vitest';
import { isCaptureName } from '../api/uploads.ts';
import type { Moment } from '../api/verdicts.ts';
import { layOutPackets } from '../charts/packet-timeline-geometry.ts';
import { connectionWords, endPoint, endWords } from './flow.ts';

test('an end point has its port where there is one', () => {
  expect(endPoint('10.0.0.1', 443)).toBe('10.0.0.1:443');
  expect(endPoint('2001:db8::1', 443)).toBe('[2001:db8::1]:443');
  expect(endPoint('10.0.0.1', 0)).toBe('10.0.0.1');
});

test('states and ends are words, and unknown ones are shown as they are', () => {
  expect(connectionWords('S0')).toBe('S0: an attempt without an answer');
  expect(connectionWords('NEW')).toBe('NEW');
  expect(endWords(null)).toBe('it goes on');
  expect(endWords('timeout')).toBe('it grew older than two minutes');
  expect(endWords('moved')).toBe('moved');
});

test('captures are known by their names', () => {
  for (const name of ['a.pcap', 'b.PCAPNG', 'c.cap.gz', 'd.pcap.zst']) {
    expect(isCaptureName(name)).toBe(true);
  }
  for (const name of ['a.csv', 'pcap', 'a.pcap.csv', 'b.gz']) {
    expect(isCaptureName(name)).toBe(false);
  }
});

function moment(offset: number, direction: string, payload: number): Moment {
  return { offset_seconds: offset, direction, payload_bytes: payload, flags: '' };
}

test('packets are placed by the logarithm of the time between them', () => {
  const marks = layOutPackets([
    moment(0, 'forward', 0),
    moment(0.000_001, 'backward', 100),
    moment(60, 'forward', 25),
  ]);
  expect(marks.map((mark) => mark.height)).toEqual([0, 1, 0.5]);
  expect(marks.map((mark) => mark.backward)).toEqual([false, true, false]);
  expect(marks[0]?.x).toBe(0);
  expect(marks[2]?.x).toBe(1);
  const middle = marks[1]?.x ?? 0;
  expect(middle).toBeGreaterThan(0.1);
  expect(middle).toBeLessThan(0.2);
});

test('one packet stands in the middle, and a clock that goes back draws nothing outside', () => {
  expect(layOutPackets([moment(0, 'forward', 0)])).toEqual([
    { x: 0.5, height: 0, backward: false },
  ]);
  for (const mark of layOutPackets([moment(0, 'forward', 1), moment(-5, 'forward', 1)])) {
    expect(mark.x).toBeGreaterThanOrEqual(0);
    expect(mark.x).toBeLessThanOrEqual(1);
  }
});
