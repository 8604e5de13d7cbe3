import { expect, test } from 'vitest';
import { source } from './sources.ts';

const CAPTURE = {
  source_name: 'packet_capture',
  is_enabled: true,
  description: 'Packets of a network interface of this machine',
  config_params: { interface: 'eth0', bpf: null },
  updated_at: '2026-01-02T03:04:05Z',
  state: {
    status: 'running',
    message: null,
    since: '2026-01-02T03:04:05Z',
    frames: 12,
    packets: 10,
    not_decoded: 1,
    flows: 3,
    verdicts: 2,
    dropped_kernel: 0,
    dropped_interface: 0,
    dropped_queue: 1,
  },
};

test('a source has its settings and its counts', () => {
  expect(source({ id: 'e7c1', ...CAPTURE }, 'answer')).toEqual(CAPTURE);
});

test('a count that the server does not have is no zero', () => {
  const { state } = source({ ...CAPTURE, state: { status: 'stopped', verdicts: 0 } }, 'answer');
  expect([state.frames, state.verdicts, state.since]).toEqual([null, 0, null]);
});

test('what a source cannot be without is named', () => {
  expect(() => source({ ...CAPTURE, is_enabled: 'yes' }, 'answer')).toThrow(
    'no true or false at answer.is_enabled',
  );
  expect(() => source({ ...CAPTURE, state: {} }, 'answer')).toThrow(
    'no text at answer.state.status',
  );
  expect(() => source({ ...CAPTURE, config_params: [] }, 'answer')).toThrow(
    'no object at answer.config_params',
  );
});
