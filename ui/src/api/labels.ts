import { getJson, patchJson, postJson } from './http.ts';
import { array, boolean, type Decoded, number, object, optional, string } from './shape.ts';

const label = object({
  id: number,
  verdict_id: string,
  is_attack: boolean,
  attack_type: optional(string, null),
  author: string,
  note: optional(string, ''),
  created_at: string,
  state: string,
  state_reason: optional(string, ''),
  reviewed_by: optional(string, null),
  outcome: optional(string, null),
  probability: optional(number, null),
  called_class: optional(string, null),
});
export type Label = Decoded<typeof label>;

const page = object({
  labels: array(label),
  next: optional(number, null),
  total_count: number,
});
export type LabelPage = Decoded<typeof page>;

/** Which labels are meant; empty texts mean any. */
export interface LabelQuery {
  readonly verdictId: string;
  readonly state: string;
  readonly conflicting: boolean;
}

export function fetchLabels(
  filter: LabelQuery,
  after: number | null,
  signal?: AbortSignal,
): Promise<LabelPage> {
  const query = new URLSearchParams({ limit: '100' });
  if (filter.verdictId !== '') query.set('verdict_id', filter.verdictId);
  if (filter.state !== '') query.set('state', filter.state);
  if (filter.conflicting) query.set('conflicting', 'true');
  if (after !== null) query.set('after', String(after));
  return getJson(`/labels?${query.toString()}`, page, signal);
}

/** What somebody says about a flow. */
export interface Statement {
  readonly verdictId: string;
  readonly author: string;
  readonly isAttack: boolean;
  readonly attackType: string;
  readonly note: string;
}

export async function sayAbout(statement: Statement): Promise<void> {
  const { verdictId, author, isAttack, attackType, note } = statement;
  await postJson(
    '/labels',
    {
      verdict_id: verdictId,
      author,
      is_attack: isAttack,
      ...(isAttack && attackType !== '' ? { attack_type: attackType } : {}),
      note,
    },
    object({ labels: array(object({ id: number })) }),
  );
}

export function reviewLabel(id: number, state: string, actor: string): Promise<Label> {
  return patchJson(`/labels/${id}`, { state, actor }, label);
}
