import { expect, test } from 'vitest';
import { ApiError } from '../api/http.ts';
import { type Source, source } from '../api/sources.ts';
import { questionOf, refusalTitle, sinceWords, sourceTitle } from './source-words.ts';

function named(source_name: string, config_params: object): Source {
  const state = { status: 'stopped' };
  return source({ source_name, is_enabled: false, config_params, state }, 'answer');
}

test('the question says what starts, and where', () => {
  const capture = named('packet_capture', { interface: 'any' });
  expect(questionOf(capture, 'on', {}).text).toContain('all interfaces of this machine');
  const typed = questionOf(capture, 'on', { interface: 'eth0' });
  expect(typed.title).toBe('Packet capture: switch on?');
  expect(typed.text).toContain('capture packets on the interface eth0,');
  expect(questionOf(capture, 'restart', { interface: 'eth0' }).text).toContain(
    'starts again on the interface eth0.',
  );
  const kafka = named('internal_kafka', { topic: 'network-traffic' });
  expect(questionOf(kafka, 'on', {}).text).toContain('rows from the topic network-traffic,');
});

test('the question says what stops, and what becomes of what is open', () => {
  const capture = questionOf(named('packet_capture', {}), 'off', {});
  expect(capture.text).toContain('Flows that are open get their last verdict');
  expect(capture.confirm).toBe('Switch off');
  expect(questionOf(named('pigeons', {}), 'off', {}).text).toContain('rows from this source.');
});

test('a refusal says what was not done, and why where the status tells', () => {
  expect(refusalTitle('on', new ApiError(409, ''))).toBe(
    'It was not switched on: it cannot be started now',
  );
  expect(refusalTitle('save', new ApiError(422, ''))).toBe(
    'The settings were not saved: a value cannot be used',
  );
  expect(refusalTitle('on', new ApiError(400, ''))).toBe(
    'It was not switched on: the server cannot use these settings',
  );
  expect(refusalTitle('off', new ApiError(0, ''))).toBe('It was not switched off');
  expect(refusalTitle('off', new Error('x'))).toBe('It was not switched off');
});

test('words that this version does not know are shown as they are', () => {
  expect(sourceTitle('pigeons')).toBe('pigeons');
  expect(sinceWords('resting')).toBe('So since');
});
