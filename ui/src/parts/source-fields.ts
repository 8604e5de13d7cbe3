/** One setting of the capture, as its form shows it. */
export interface SourceField {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly kind: 'text' | 'number' | 'check';
  readonly isWide?: boolean;
}

export const CAPTURE_FIELDS: readonly SourceField[] = [
  {
    name: 'interface',
    label: 'Interface',
    hint: 'Its name, such as eth0, or any for all of them.',
    kind: 'text',
  },
  {
    name: 'bpf',
    label: 'Filter',
    hint: 'In the language of libpcap, such as tcp port 80. Empty takes every packet.',
    kind: 'text',
    isWide: true,
  },
  { name: 'snaplen', label: 'Snapshot length', hint: 'Bytes kept of each frame.', kind: 'number' },
  {
    name: 'early_packets',
    label: 'Early verdict at packets',
    hint: 'A flow that goes on is judged at this many packets.',
    kind: 'number',
  },
  {
    name: 'early_seconds',
    label: 'Early verdict at seconds',
    hint: 'Or at this age, whichever comes first.',
    kind: 'number',
  },
  {
    name: 'max_memory_mb',
    label: 'Memory',
    hint: 'Megabytes for the table of open flows.',
    kind: 'number',
  },
  {
    name: 'buffer_size',
    label: 'Buffer',
    hint: 'Verdicts that may wait to be stored.',
    kind: 'number',
  },
  {
    name: 'promiscuous',
    label: 'Promiscuous mode',
    hint: 'Takes packets for other machines too.',
    kind: 'check',
  },
];

/** What has been typed and not been sent, by the name of the setting. */
export type Draft = Readonly<Record<string, string | boolean>>;
export type Config = Readonly<Record<string, unknown>>;

/** What a field shows: what has been typed, or else what the server has. */
export function fieldText(config: Config, draft: Draft, name: string): string {
  const value = draft[name] ?? config[name];
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function fieldIsOn(config: Config, draft: Draft, name: string): boolean {
  return (draft[name] ?? config[name]) === true;
}

/** What has been typed and is not what the server has, in the server's types. */
export function draftChanges(config: Config, draft: Draft): Record<string, unknown> {
  const changes: Record<string, unknown> = {};
  for (const { name, kind } of CAPTURE_FIELDS) {
    const typed = draft[name];
    if (typed === undefined) continue;
    const value = typeof typed === 'string' && kind !== 'check' ? sent(name, kind, typed) : typed;
    if (value !== (config[name] ?? null)) changes[name] = value;
  }
  return changes;
}

/** What is no number goes as it was typed: the server says what it expects there. */
function sent(name: string, kind: 'text' | 'number', typed: string): unknown {
  const text = typed.trim();
  if (name === 'bpf' && text === '') return null;
  if (kind === 'text' || text === '') return text;
  const value = Number(text);
  return Number.isFinite(value) ? value : text;
}

/** The setting that a refusal speaks of, when its words name one. */
export function fieldOfRefusal(detail: string): string | null {
  const named = /^config_params\.(\w+) is /.exec(detail)?.[1];
  if (named !== undefined) return named;
  if (/^there is no interface '|^interface '|^capturing on '/.test(detail)) return 'interface';
  return detail.startsWith("the filter '") ? 'bpf' : null;
}
