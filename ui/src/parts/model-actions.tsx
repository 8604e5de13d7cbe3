import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { type Model, orderModel } from '../api/models.ts';
import { healthQuery, modelsQuery } from '../api/queries.ts';
import { ErrorBox } from './answer.tsx';
import { useName } from './asker.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { TextField } from './field.tsx';
import { type Choice, choicesOf } from './model-words.ts';

/** Buttons for what can be asked of a model; each asks back first. */
export function ModelActions({ model, all }: { model: Model; all: readonly Model[] }) {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const [asked, setAsked] = useState<Choice | null>(null);
  const [name, setName] = useName();
  const [reason, setReason] = useState('');
  const hasPredecessor = all.some(
    (other) =>
      other.id !== model.id &&
      other.stage === 'retired' &&
      (other.slot === model.slot || other.name === model.name),
  );
  const change = useMutation({
    mutationFn: (choice: Choice) => orderModel(model.id, choice.order, { actor: name, reason }),
    onSuccess: (_, choice) => {
      setReason('');
      if (choice.order.kind === 'delete') navigate('/models');
    },
    onSettled: () => {
      void client.invalidateQueries({ queryKey: modelsQuery.queryKey });
      void client.invalidateQueries({ queryKey: healthQuery.queryKey });
    },
  });
  return (
    <>
      <div className="actions">
        {choicesOf(model, hasPredecessor).map((choice, index) => (
          <button
            key={choice.name}
            type="button"
            className={index === 0 ? 'button primary' : 'button'}
            aria-disabled={change.isPending}
            onClick={() => {
              if (!change.isPending) setAsked(choice);
            }}
          >
            {choice.name}
          </button>
        ))}
      </div>
      <p role="status" className="source-progress">
        {change.isPending && `${change.variables.name}…`}
        {change.isSuccess && `${change.variables.name}: done.`}
      </p>
      {change.error !== null && (
        <ErrorBox title={`${change.variables.name} was refused`} error={change.error} />
      )}
      {asked !== null && (
        <ConfirmDialog
          question={asked.question}
          confirm={() => {
            setAsked(null);
            change.mutate(asked);
          }}
          close={() => {
            setAsked(null);
          }}
        >
          {asked.order.kind !== 'delete' && (
            <>
              <TextField label="Your name" value={name} onChange={setName} />
              <TextField
                label="Reason"
                hint="Stands in the history."
                value={reason}
                onChange={setReason}
              />
            </>
          )}
        </ConfirmDialog>
      )}
    </>
  );
}
