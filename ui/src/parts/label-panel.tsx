import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Label, sayAbout } from '../api/labels.ts';
import { labelsQuery } from '../api/queries.ts';
import { ErrorBox } from './answer.tsx';
import { useName } from './asker.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { TextField } from './field.tsx';
import { outcomeWords, stateTone } from './label-words.ts';
import { Panel } from './panel.tsx';
import { Time } from './time.tsx';

interface Props {
  readonly verdictId: string;
  /** What the detector decided; null when none judged. */
  readonly calledThreat: boolean | null;
}

/** What people say about a flow, and a way to say something. */
export function LabelPanel({ verdictId, calledThreat }: Props) {
  const client = useQueryClient();
  const filter = { verdictId, state: '', conflicting: false };
  const labels = useInfiniteQuery(labelsQuery(filter));
  const said = labels.data?.pages.flatMap((page) => page.labels) ?? [];
  const [asked, setAsked] = useState<boolean | null>(null);
  const [name, setName] = useName();
  const [attackType, setAttackType] = useState('');
  const [note, setNote] = useState('');
  const say = useMutation({
    mutationFn: (isAttack: boolean) =>
      sayAbout({ verdictId, author: name, isAttack, attackType, note }),
    onSuccess: () => {
      setNote('');
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['labels'] }),
  });
  const words = (isAttack: boolean): string => {
    if (calledThreat === null) return isAttack ? 'An attack' : 'No attack';
    if (calledThreat) return isAttack ? 'True alarm' : 'False alarm';
    return isAttack ? 'Missed attack' : 'Rightly passed';
  };
  const isDisputed = said.some((label) => label.is_attack !== said[0]?.is_attack);
  return (
    <Panel
      title="What people say"
      note="Labels measure the models, and models are retrained on them."
      tools={
        <div className="actions">
          {[true, false].map((isAttack) => (
            <button
              key={String(isAttack)}
              type="button"
              className="button"
              aria-disabled={say.isPending}
              onClick={() => {
                if (!say.isPending) setAsked(isAttack);
              }}
            >
              {words(isAttack)}
            </button>
          ))}
        </div>
      }
    >
      {labels.error !== null && <ErrorBox title="Could not load the labels" error={labels.error} />}
      {labels.isSuccess && said.length === 0 && (
        <p className="muted">Nobody has said anything about this flow yet.</p>
      )}
      {isDisputed && (
        <p className="warning-note">Not everybody agrees, so a retraining leaves this flow out.</p>
      )}
      <ul className="plain-list">
        {said.map((label) => (
          <Said key={label.id} label={label} />
        ))}
      </ul>
      {say.error !== null && <ErrorBox title="This was not accepted" error={say.error} />}
      {asked !== null && (
        <ConfirmDialog
          question={{
            title: `${words(asked)}?`,
            text: 'Your earlier label on this flow, if there is one, is replaced. Those of others stay.',
            confirm: words(asked),
          }}
          confirm={() => {
            setAsked(null);
            say.mutate(asked);
          }}
          close={() => {
            setAsked(null);
          }}
        >
          <TextField label="Your name" required value={name} onChange={setName} />
          {asked && (
            <TextField
              label="Which attack"
              hint="As the data sets spell it; may be left out."
              value={attackType}
              onChange={setAttackType}
            />
          )}
          <TextField label="Note" value={note} onChange={setNote} />
        </ConfirmDialog>
      )}
    </Panel>
  );
}

function Said({ label }: { label: Label }) {
  return (
    <li className="breakable">
      <strong>{outcomeWords(label.outcome, label.is_attack)}</strong>
      {label.attack_type !== null && ` (${label.attack_type})`}, says {label.author},{' '}
      <Time at={label.created_at} form="short" />{' '}
      <span className={`badge ${stateTone(label.state)}`}>{label.state}</span>
      {label.note !== '' && <>: {label.note}</>}
    </li>
  );
}
