import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { type Label, type LabelQuery, reviewLabel } from '../api/labels.ts';
import { labelsQuery } from '../api/queries.ts';
import { formatProbability, NO_VALUE, plural } from '../format/numbers.ts';
import { verdictHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Empty, ErrorBox, Loading } from '../parts/answer.tsx';
import { useName } from '../parts/asker.ts';
import { TextField } from '../parts/field.tsx';
import { outcomeWords, stateTone } from '../parts/label-words.ts';
import { Panel } from '../parts/panel.tsx';
import { Scroller } from '../parts/scroller.tsx';
import { Time } from '../parts/time.tsx';

const STATES = ['accepted', 'quarantined', 'rejected'];

/** What people say about flows, and the review of what looks odd. */
export function LabelsPage() {
  const [filter, setFilter] = useState<LabelQuery>({
    verdictId: '',
    state: '',
    conflicting: false,
  });
  const [name, setName] = useName();
  return (
    <Page
      title="Labels"
      intro="What people say about flows. Labels that look odd wait here for a second person."
      actions={
        <a className="button" href="/api/v1/labels/export">
          Export as CSV
        </a>
      }
    >
      <Panel title="Labels">
        <div className="filters">
          <label className="choice">
            State
            <select
              value={filter.state}
              onChange={(event) => {
                setFilter({ ...filter, state: event.target.value });
              }}
            >
              <option value="">any state</option>
              {STATES.map((state) => (
                <option key={state} value={state}>
                  {state}
                </option>
              ))}
            </select>
          </label>
          <label className="check">
            <input
              type="checkbox"
              checked={filter.conflicting}
              onChange={(event) => {
                setFilter({ ...filter, conflicting: event.target.checked });
              }}
            />
            Only where people do not agree
          </label>
        </div>
        <TextField
          label="Your name"
          hint="Who reviews; nobody accepts a label of their own."
          value={name}
          onChange={setName}
        />
        <LabelList filter={filter} name={name} />
      </Panel>
    </Page>
  );
}

function LabelList({ filter, name }: { filter: LabelQuery; name: string }) {
  const client = useQueryClient();
  const query = useInfiniteQuery(labelsQuery(filter));
  const labels = query.data?.pages.flatMap((page) => page.labels) ?? [];
  const review = useMutation({
    mutationFn: ({ id, state }: { id: number; state: string }) => reviewLabel(id, state, name),
    onSettled: () => client.invalidateQueries({ queryKey: ['labels'] }),
  });
  if (query.isPending) return <Loading what="the labels" />;
  return (
    <>
      {query.error !== null && <ErrorBox title="Could not load the labels" error={query.error} />}
      {review.error !== null && (
        <ErrorBox title="The review was not accepted" error={review.error} />
      )}
      {labels.length === 0 ? (
        <Empty title="No such labels">
          <p>Open a verdict and say what it was.</p>
          <Link className="button" href="/verdicts">
            Verdicts
          </Link>
        </Empty>
      ) : (
        <>
          <Scroller label="Labels" className="tall">
            <table className="data-table">
              <thead>
                <tr>
                  <th scope="col">Flow</th>
                  <th scope="col">Said</th>
                  <th scope="col">By</th>
                  <th scope="col">When</th>
                  <th scope="col" className="number">
                    Model said
                  </th>
                  <th scope="col">State</th>
                  <th scope="col">Review</th>
                </tr>
              </thead>
              <tbody>
                {labels.map((label) => (
                  <Row
                    key={label.id}
                    label={label}
                    canReview={name !== '' && !review.isPending}
                    review={(state) => {
                      review.mutate({ id: label.id, state });
                    }}
                  />
                ))}
              </tbody>
            </table>
          </Scroller>
          <div className="list-foot">
            <span className="muted" role="status">
              {plural(labels.length, 'label')} of {query.data?.pages[0]?.total_count ?? 0}
            </span>
            {query.hasNextPage && (
              <button
                type="button"
                className="button"
                disabled={query.isFetchingNextPage}
                onClick={() => {
                  void query.fetchNextPage();
                }}
              >
                Load more
              </button>
            )}
          </div>
        </>
      )}
    </>
  );
}

interface RowProps {
  readonly label: Label;
  readonly canReview: boolean;
  readonly review: (state: string) => void;
}

function Row({ label, canReview, review }: RowProps) {
  const others = ['accepted', 'rejected'].filter((state) => state !== label.state);
  return (
    <tr>
      <th scope="row">
        <Link href={verdictHref(label.verdict_id)}>
          <code>{label.verdict_id.slice(0, 13)}</code>
        </Link>
      </th>
      <td className="breakable">
        {outcomeWords(label.outcome, label.is_attack)}
        {label.attack_type !== null && ` (${label.attack_type})`}
        {label.note !== '' && <span className="muted">: {label.note}</span>}
      </td>
      <td className="breakable">{label.author}</td>
      <td>
        <Time at={label.created_at} form="short" />
      </td>
      <td className="number">
        {label.probability === null ? NO_VALUE : formatProbability(label.probability)}
      </td>
      <td>
        <span className={`badge ${stateTone(label.state)}`}>{label.state}</span>
        {label.state_reason !== '' && <div className="muted">{label.state_reason}</div>}
      </td>
      <td>
        <div className="actions">
          {others.map((state) => (
            <button
              key={state}
              type="button"
              className="button"
              aria-disabled={!canReview}
              onClick={() => {
                if (canReview) review(state);
              }}
            >
              {state === 'accepted' ? 'Accept' : 'Reject'}
            </button>
          ))}
        </div>
      </td>
    </tr>
  );
}
