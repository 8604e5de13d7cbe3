import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { healthQuery, sourcesQuery } from '../api/queries.ts';
import { changeSource, type Source, type SourceChange } from '../api/sources.ts';
import { ErrorBox } from './answer.tsx';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { type Draft, draftChanges, fieldOfRefusal } from './source-fields.ts';
import { SourceForm } from './source-form.tsx';
import { SourceBadge, SourceFigures } from './source-state.tsx';
import {
  doingWords,
  doneWords,
  PACKET_CAPTURE,
  questionOf,
  refusalTitle,
  sourceTitle,
  type Step,
} from './source-words.ts';

/** One source: how it is doing, its switch and, for the capture, its settings. */
export function SourceCard({ source }: { source: Source }) {
  const id = useId();
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft>({});
  const [asked, setAsked] = useState<Step | null>(null);
  const name = source.source_name;
  const title = sourceTitle(name);
  const changes = draftChanges(source.config_params, draft);
  const isChanged = Object.keys(changes).length > 0;

  const change = useMutation({
    mutationFn: ({ change }: { step: Step; change: SourceChange }) => changeSource(name, change),
    onSuccess: (changed, { step }) => {
      client.setQueryData(sourcesQuery.queryKey, (all) =>
        all?.map((one) => (one.source_name === name ? changed : one)),
      );
      if (step !== 'off') setDraft({});
    },
    // A refusal can have stopped what ran.
    onSettled: () => {
      void client.invalidateQueries({ queryKey: sourcesQuery.queryKey });
      void client.invalidateQueries({ queryKey: healthQuery.queryKey });
    },
  });

  const send = (step: Step): void => {
    setAsked(null);
    const isEnabled = step === 'on' || step === 'restart';
    change.mutate({
      step,
      change: {
        is_enabled: isEnabled,
        ...(step !== 'off' && isChanged ? { config_params: changes } : {}),
      },
    });
  };
  const ask = (step: Step): void => {
    if (!change.isPending) setAsked(step);
  };

  const step = change.variables?.step;
  // A later change, by whomever, makes the words on ours stale.
  const isLatest = change.isSuccess && change.data.updated_at === source.updated_at;
  const error =
    change.error === null || step === undefined ? null : (
      <div id={`${id}-error`}>
        <ErrorBox title={refusalTitle(step, change.error)} error={change.error} />
      </div>
    );
  const { message, status } = source.state;
  // Right after a refusal its own words are the state's message too.
  const isSaid = message !== null && change.error?.message.includes(message) === true;
  const { topic } = source.config_params;

  return (
    <li className="panel source-card" aria-labelledby={`${id}-title`}>
      <div className="panel-head">
        <div className="source-name">
          <h2 id={`${id}-title`}>{title}</h2>
          <SourceBadge status={status} />
        </div>
        <div className="source-switch">
          <span aria-hidden="true">{source.is_enabled ? 'On' : 'Off'}</span>
          <button
            type="button"
            role="switch"
            className="switch"
            aria-checked={source.is_enabled}
            aria-labelledby={`${id}-title`}
            aria-busy={change.isPending}
            onClick={() => {
              ask(source.is_enabled ? 'off' : 'on');
            }}
          />
        </div>
      </div>
      <p className="panel-note breakable">
        {source.description ?? name}
        {typeof topic === 'string' && (
          <>
            {' '}
            (<code>{topic}</code>)
          </>
        )}
      </p>
      {message !== null && !isSaid && (
        <p
          className={`source-message breakable tone-${status === 'failed' || status === 'retrying' ? 'warn' : 'quiet'}`}
        >
          {message}
        </p>
      )}
      <SourceFigures state={source.state} />
      <p className="source-progress" role="status">
        {change.isPending && step !== undefined && doingWords(step)}
        {isLatest && step !== undefined && doneWords(step)}
      </p>
      {name === PACKET_CAPTURE ? (
        <SourceForm
          title={title}
          config={source.config_params}
          draft={draft}
          isEnabled={source.is_enabled}
          refused={change.error === null ? null : fieldOfRefusal(change.error.message)}
          errorId={`${id}-error`}
          error={error}
          edit={setDraft}
          save={() => {
            if (source.is_enabled) ask('restart');
            else if (!change.isPending) send('save');
          }}
        />
      ) : (
        error
      )}
      {asked !== null && (
        <ConfirmDialog
          question={questionOf(source, asked, draft)}
          note={asked === 'on' && isChanged ? 'The changed settings are saved with it.' : undefined}
          confirm={() => {
            send(asked);
          }}
          close={() => {
            setAsked(null);
          }}
        />
      )}
    </li>
  );
}
