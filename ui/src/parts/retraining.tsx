import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { beginRetraining } from '../api/monitoring.ts';
import { modelsQuery, retrainingsQuery } from '../api/queries.ts';
import { formatCount, plural } from '../format/numbers.ts';
import { modelHref } from '../layout/addresses.ts';
import { Answer, ErrorBox } from './answer.tsx';
import { useName } from './asker.ts';
import { ConfirmDialog } from './confirm-dialog.tsx';
import { Field, TextField } from './field.tsx';
import { titleOf } from './model-words.ts';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';
import { Time } from './time.tsx';

/** The training that runs, those that have ended, and a button to begin one. */
export function Retraining() {
  const retrainings = useQuery(retrainingsQuery);
  return (
    <Panel
      title="Training anew"
      note="A new version is trained in the background from the original data and the labels that count. It becomes a candidate only when it is no worse than the one it follows."
    >
      <Answer of={retrainings} what="the trainings">
        {({ current, finished }) => (
          <>
            <Begin isBusy={current !== null} />
            {current !== null && (
              <p role="status">
                {current.model} is being trained anew with {plural(current.labels, 'label')} since{' '}
                <Time at={current.started_at} form="short" />, asked for by {current.requested_by}.
              </p>
            )}
            {finished.length > 0 && (
              <Scroller label="Trainings that have ended" className="short">
                <table className="data-table">
                  <thead>
                    <tr>
                      <th scope="col">Model</th>
                      <th scope="col" className="number">
                        Labels
                      </th>
                      <th scope="col">Asked for by</th>
                      <th scope="col">Ended</th>
                      <th scope="col">Result</th>
                    </tr>
                  </thead>
                  <tbody>
                    {finished.map((job) => (
                      <tr key={job.id}>
                        <th scope="row" className="breakable">
                          {job.model}
                        </th>
                        <td className="number">{formatCount(job.labels)}</td>
                        <td className="breakable">
                          {job.requested_by}
                          {job.reason !== '' && <span className="muted">: {job.reason}</span>}
                        </td>
                        <td>
                          <Time at={job.ended_at} form="short" />
                        </td>
                        <td className="breakable">
                          {job.made_model_id !== null && (
                            <Link href={modelHref(job.made_model_id)}>a candidate</Link>
                          )}
                          {job.failure}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroller>
            )}
          </>
        )}
      </Answer>
    </Panel>
  );
}

function Begin({ isBusy }: { isBusy: boolean }) {
  const client = useQueryClient();
  const models = useQuery(modelsQuery);
  const active = models.data?.filter((model) => model.is_active) ?? [];
  const [chosen, choose] = useState('');
  const [isAsked, setIsAsked] = useState(false);
  const [name, setName] = useName();
  const [reason, setReason] = useState('');
  const begin = useMutation({
    mutationFn: (id: string) => beginRetraining(id, name, reason),
    onSettled: () => client.invalidateQueries({ queryKey: retrainingsQuery.queryKey }),
  });
  const model = active.find((one) => one.id === chosen);
  return (
    <>
      <div className="fields">
        <Field label="Model">
          {(id) => (
            <select
              id={id}
              value={chosen}
              onChange={(event) => {
                choose(event.target.value);
              }}
            >
              <option value="">choose an active model</option>
              {active.map((one) => (
                <option key={one.id} value={one.id}>
                  {titleOf(one)} {one.version}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <button
        type="button"
        className="button"
        aria-disabled={model === undefined || isBusy || begin.isPending}
        onClick={() => {
          if (model !== undefined && !isBusy && !begin.isPending) setIsAsked(true);
        }}
      >
        Train anew
      </button>
      {begin.error !== null && <ErrorBox title="The training was not begun" error={begin.error} />}
      {isAsked && model !== undefined && (
        <ConfirmDialog
          question={{
            title: `Train ${titleOf(model)} anew?`,
            text: 'It runs beside the server with less priority. Nothing that judges is changed by it.',
            confirm: 'Train anew',
          }}
          confirm={() => {
            setIsAsked(false);
            begin.mutate(model.id);
          }}
          close={() => {
            setIsAsked(false);
          }}
        >
          <TextField label="Your name" value={name} onChange={setName} />
          <TextField label="Reason" value={reason} onChange={setReason} />
        </ConfirmDialog>
      )}
    </>
  );
}
