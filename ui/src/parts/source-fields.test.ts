import { expect, test } from 'vitest';
import { draftChanges, fieldIsOn, fieldOfRefusal, fieldText } from './source-fields.ts';

const CONFIG = { interface: 'any', bpf: null, snaplen: 262_144, promiscuous: false };

test('a field shows what has been typed, or else what the server has', () => {
  expect(fieldText(CONFIG, {}, 'snaplen')).toBe('262144');
  expect(fieldText(CONFIG, {}, 'bpf')).toBe('');
  expect(fieldText(CONFIG, {}, 'early_seconds')).toBe('');
  expect(fieldText(CONFIG, { snaplen: '' }, 'snaplen')).toBe('');
  expect(fieldIsOn(CONFIG, {}, 'promiscuous')).toBe(false);
  expect(fieldIsOn(CONFIG, { promiscuous: true }, 'promiscuous')).toBe(true);
});

test('only what differs is sent, in the types of the server', () => {
  const check = (draft: Record<string, string | boolean>, expected: object): void => {
    expect(draftChanges(CONFIG, draft)).toEqual(expected);
  };
  check({}, {});
  check({ interface: ' any ', bpf: ' ', snaplen: '262144', promiscuous: false }, {});
  check(
    { interface: 'eth0', bpf: 'tcp', snaplen: ' 96 ', promiscuous: true },
    { interface: 'eth0', bpf: 'tcp', snaplen: 96, promiscuous: true },
  );
});

test('what is no number is left to the server to refuse', () => {
  for (const typed of ['many', '', '1e999', '12 bytes']) {
    expect(draftChanges(CONFIG, { snaplen: typed })).toEqual({ snaplen: typed });
  }
});

test('a refusal marks the setting that it names', () => {
  const check = (detail: string, expected: string | null): void => {
    expect(fieldOfRefusal(detail)).toBe(expected);
  };
  check('config_params.snaplen is 3, expected a whole number from 64 to 262144', 'snaplen');
  check("there is no interface 'x'; this machine has lo; the source is off", 'interface');
  check("the filter 'tpc' cannot be used: syntax error; the source is off", 'bpf');
  check('no model that judges flows is loaded; the source is off', null);
});
