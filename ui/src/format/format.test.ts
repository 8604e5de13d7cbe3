import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatContribution,
  formatMargin,
  formatProbability,
  formatSeconds,
  formatShare,
  formatValue,
  plural,
  shorten,
} from './numbers.ts';
import { severityOf } from './severity.ts';
import { formatBucket, formatTime } from './time.ts';

test('a probability is never rounded to certainty', () => {
  const shown = [0, 0.004, 0.4149, 0.9949, 0.996, 0.99999, 1].map((p) => formatProbability(p));
  expect(shown).toEqual(['0.00', '< 0.01', '0.41', '0.99', '> 0.99', '> 0.99', '1.00']);
  expect(formatProbability(null)).toBe('–');
});

test('a share is never rounded to nothing or to all', () => {
  const shown = [0, 0.0001, 0.128, 0.9999, 1, null, Number.NaN].map(formatShare);
  expect(shown).toEqual(['0 %', '< 0.1 %', '12.8 %', '> 99.9 %', '100 %', '–', '–']);
});

test('contributions and margins carry a sign one can read', () => {
  expect([1.234, -0.5, 0.0123, 0].map(formatContribution)).toEqual([
    '+1.23',
    '−0.50',
    '+0.012',
    '+0.000',
  ]);
  expect([3.2, -0.3, -0.001].map(formatMargin)).toEqual(['3.20', '−0.30', '0.00']);
});

test('values are shown as measured', () => {
  const shown = [null, '', 'S0', 1234567, -3, 0.5, 1 / 3, 1e-7, true].map(formatValue);
  expect(shown).toEqual([
    'missing',
    '(empty)',
    'S0',
    '1,234,567',
    '−3',
    '0.5',
    '0.333333',
    '1.000e-7',
    'true',
  ]);
});

test('sizes, durations and counts', () => {
  expect([999, 1_000, 12_345_678].map(formatBytes)).toEqual(['999 B', '1.0 kB', '12 MB']);
  expect([0.25, 1.25, 125].map(formatSeconds)).toEqual(['250 ms', '1.3 s', '2 min 5 s']);
  expect([plural(1, 'row'), plural(1200, 'row'), plural(2, 'batch', 'batches')]).toEqual([
    '1 row',
    '1,200 rows',
    '2 batches',
  ]);
});

test('a label is cut between letters, not inside one', () => {
  expect(shorten('flag', 8)).toBe('flag');
  expect(shorten('dst_host_srv_count', 8)).toBe('dst_hos…');
  expect(shorten('🦀🦀🦀', 2)).toBe('🦀…');
});

test('severity follows the lower bounds', () => {
  const shown = [1, 0.9, 0.8999, 0.7, 0.5, 0.4999].map(severityOf);
  expect(shown).toEqual(['critical', 'critical', 'high', 'high', 'medium', 'low']);
});

describe('time', () => {
  test('a time that cannot be read is shown as it came', () => {
    expect(formatTime('yesterday')).toBe('yesterday');
    expect(formatTime(null)).toBe('–');
    expect(formatTime('2026-01-02T03:04:05.000006Z')).toContain('2026');
  });

  test('bucket lengths read after "per"', () => {
    const shown = [1, 60, 300, 3600, 86_400, 90].map(formatBucket);
    expect(shown).toEqual(['second', 'minute', '5 minutes', 'hour', 'day', '90 seconds']);
  });
});
