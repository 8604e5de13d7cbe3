import { ApiError } from '../api/http.ts';
import type { Source } from '../api/sources.ts';
import type { Question } from './confirm-dialog.tsx';
import { type Config, type Draft, fieldText } from './source-fields.ts';

export const PACKET_CAPTURE = 'packet_capture';

const TITLES: Readonly<Record<string, string>> = {
  [PACKET_CAPTURE]: 'Packet capture',
  external_kafka: 'Kafka, external senders',
  internal_kafka: 'Kafka, internal senders',
};

export function sourceTitle(name: string): string {
  return TITLES[name] ?? name;
}

/** What is asked of the server: to switch on or off, or to take settings in. */
export type Step = 'on' | 'off' | 'save' | 'restart';

/** What starts or stops, said before it does. */
export function questionOf(source: Source, step: Step, draft: Draft): Question {
  const title = sourceTitle(source.source_name);
  if (step === 'on') {
    return { title: `${title}: switch on?`, text: startText(source, draft), confirm: 'Switch on' };
  }
  if (step === 'off') {
    return { title: `${title}: switch off?`, text: stopText(source), confirm: 'Switch off' };
  }
  return {
    title: `${title}: apply the settings?`,
    text:
      `Capturing stops, and flows that are open get their last verdict. Then it starts again on ` +
      `${interfaceWords(source.config_params, draft)}. If it cannot, the source is off and the ` +
      `settings stay as they were.`,
    confirm: 'Apply and start again',
  };
}

function startText(source: Source, draft: Draft): string {
  const stays = 'It stays on after a restart of the server.';
  if (source.source_name === PACKET_CAPTURE) {
    const where = interfaceWords(source.config_params, draft);
    return `Tripline starts to capture packets on ${where}, and stores a verdict for every flow. ${stays}`;
  }
  const { topic } = source.config_params;
  if (typeof topic !== 'string') return `Tripline starts to take rows from this source. ${stays}`;
  return `Tripline starts to read rows from the topic ${topic}, and stores a verdict for each. ${stays}`;
}

function stopText(source: Source): string {
  const stays = 'It stays off after a restart of the server.';
  if (source.source_name === PACKET_CAPTURE) {
    return `Capturing stops. Flows that are open get their last verdict, and it is stored. ${stays}`;
  }
  const { topic } = source.config_params;
  const where = typeof topic === 'string' ? `the topic ${topic}` : 'this source';
  return `Tripline stops to read rows from ${where}. ${stays}`;
}

function interfaceWords(config: Config, draft: Draft): string {
  const name = fieldText(config, draft, 'interface').trim();
  if (name === 'any') return 'all interfaces of this machine';
  return name === '' ? 'an interface without a name' : `the interface ${name}`;
}

const DOING: Readonly<Record<Step, string>> = {
  on: 'Switching on…',
  off: 'Switching off…',
  save: 'Saving the settings…',
  restart: 'Starting again…',
};
const DONE: Readonly<Record<Step, string>> = {
  on: 'Switched on.',
  off: 'Switched off.',
  save: 'The settings are saved. They count from the next start.',
  restart: 'Started again with the new settings.',
};
const ATTEMPTS: Readonly<Record<Step, string>> = {
  on: 'It was not switched on',
  off: 'It was not switched off',
  save: 'The settings were not saved',
  restart: 'The new settings were not applied',
};

export function doingWords(step: Step): string {
  return DOING[step];
}

export function doneWords(step: Step): string {
  return DONE[step];
}

/** What was refused and why in general; the server's own words stand below it. */
export function refusalTitle(step: Step, error: Error): string {
  const reason = error instanceof ApiError ? REASONS[error.status] : undefined;
  return reason === undefined ? ATTEMPTS[step] : `${ATTEMPTS[step]}: ${reason}`;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'the server cannot use these settings',
  404: 'the server has no such source',
  409: 'it cannot be started now',
  422: 'a value cannot be used',
};

/** What is not said by the badge alone. */
export function sinceWords(status: string): string {
  switch (status) {
    case 'running':
      return 'Running since';
    case 'retrying':
      return 'Ended and tried again since';
    case 'failed':
      return 'Could not be started at';
    case 'stopped':
      return 'Stopped since';
    default:
      return 'So since';
  }
}
