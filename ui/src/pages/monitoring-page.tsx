import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import type { CandidateWatch, Measured, Monitoring, WatchedModel } from '../api/monitoring.ts';
import { messagesQuery, modelsQuery, monitoringQuery } from '../api/queries.ts';
import { formatCount, formatMetric, formatShare, NO_VALUE, plural } from '../format/numbers.ts';
import { compareHref, modelHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { DriftMap } from '../parts/drift-map.tsx';
import { titleOf } from '../parts/model-words.ts';
import { Panel } from '../parts/panel.tsx';
import { Retraining } from '../parts/retraining.tsx';
import { Scroller } from '../parts/scroller.tsx';
import { StageBadge } from '../parts/stage-badge.tsx';
import { Stats } from '../parts/stat.tsx';
import { Time } from '../parts/time.tsx';

/** What the watching of the models has found: drift, quality, candidates, messages, retraining. */
export function MonitoringPage() {
  const monitoring = useQuery(monitoringQuery);
  return (
    <Page
      title="Monitoring"
      intro="Whether traffic still looks as it did when the models were trained, and how good they are on it."
    >
      <Answer of={monitoring} what="what was watched">
        {(found) => (
          <>
            <Alarms of={found} />
            {found.models.length === 0 ? (
              <Empty title="Nothing was judged yet">
                <p>Upload a file, or switch a source on; models are watched by what they judge.</p>
                <Link className="button" href="/upload">
                  Upload
                </Link>
              </Empty>
            ) : (
              <>
                <Watched models={found.models} />
                <Drift models={found.models} />
              </>
            )}
            <Candidates of={found.candidates} />
          </>
        )}
      </Answer>
      <Retraining />
      <Messages />
    </Page>
  );
}

function Alarms({ of: found }: { of: Monitoring }) {
  const drifted = found.models.filter((model) => model.drift?.has_drifted === true);
  const unknown = found.models.filter((model) => model.estimate?.outcome === 'unknown');
  return (
    <Panel title="Now" note={<>Looked at last: {<Time at={found.updated_at} form="short" />}</>}>
      <Stats
        stats={[
          {
            name: 'Models with drift',
            value: String(drifted.length),
            ...(drifted.length > 0 ? { tone: 'threat' as const } : {}),
          },
          { name: 'Quality unknown', value: String(unknown.length) },
          { name: 'Verdicts read', value: formatCount(found.rows_read) },
          { name: 'Left out for lack of time', value: formatCount(found.rows_skipped) },
        ]}
      />
      {drifted.length > 0 && (
        <ul className="plain-list">
          {drifted.map((model) => (
            <li key={model.model_id} className="breakable">
              <strong>{model.name}</strong> sees other traffic than it was trained on:{' '}
              {(model.drift?.drifted ?? []).slice(0, 8).join(', ')}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function ranged(value: number | null, interval: readonly number[] | null): string {
  const [low, high] = interval ?? [];
  if (value === null) return NO_VALUE;
  if (low === undefined || high === undefined) return formatMetric(value);
  return `${formatMetric(value)} (${formatMetric(low)} to ${formatMetric(high)})`;
}

function Watched({ models }: { models: readonly WatchedModel[] }) {
  return (
    <Panel
      title="Quality"
      note="With labels: measured on what people said, with 95 % intervals. Without: expected from the model's own calibrated probabilities, and unknown where those cannot be trusted."
    >
      <Scroller label="Quality" className="tall">
        <table className="data-table">
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">Stage</th>
              <th scope="col" className="number">
                Labels
              </th>
              <th scope="col">F1, measured</th>
              <th scope="col">Precision</th>
              <th scope="col">Recall</th>
              <th scope="col">Calibration error</th>
              <th scope="col">F1, estimated</th>
              <th scope="col">Judged last</th>
            </tr>
          </thead>
          <tbody>
            {models.map((model) => (
              <QualityRow key={model.model_id} model={model} with={model.performance.measured} />
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}

function QualityRow({ model, with: measured }: { model: WatchedModel; with: Measured }) {
  return (
    <tr>
      <th scope="row">
        <Link href={modelHref(model.model_id)}>{model.name}</Link>
      </th>
      <td>
        <StageBadge stage={model.stage} />
      </td>
      <td className="number">{formatCount(measured.rows)}</td>
      <td>{ranged(measured.f1, measured.f1_interval)}</td>
      <td>{ranged(measured.precision, measured.precision_interval)}</td>
      <td>{ranged(measured.recall, measured.recall_interval)}</td>
      <td>{formatMetric(measured.expected_calibration_error)}</td>
      <td className="wide-text">
        <Estimated model={model} />
      </td>
      <td>
        <Time at={model.last_row_at} form="short" />
      </td>
    </tr>
  );
}

function Estimated({ model: { role, estimate, window_rows: rows } }: { model: WatchedModel }) {
  if (role !== 'detector') return <>{NO_VALUE}</>;
  if (estimate === null) {
    return <span className="muted">{plural(rows, 'row')} in the first window</span>;
  }
  if (estimate.outcome === 'known') return <>{ranged(estimate.f1, estimate.f1_interval)}</>;
  return (
    <>
      unknown
      {estimate.because.length > 0 && (
        <span className="muted">: {estimate.because.slice(0, 2).join('; ')}</span>
      )}
    </>
  );
}

function Drift({ models }: { models: readonly WatchedModel[] }) {
  const withWindow = models.filter((model) => model.drift !== null);
  const [chosen, choose] = useState('');
  const shown =
    withWindow.find((model) => model.model_id === chosen) ??
    withWindow.find((model) => model.drift?.has_drifted === true) ??
    withWindow[0];
  return (
    <Panel
      title="Drift"
      note="How far each feature of a window of traffic is from the training data: the population stability index beyond what chance gives. Below 0.1 little has changed, above 0.25 much."
      tools={
        shown !== undefined && (
          <label className="choice">
            Model
            <select
              value={shown.model_id}
              onChange={(event) => {
                choose(event.target.value);
              }}
            >
              {withWindow.map((model) => (
                <option key={model.model_id} value={model.model_id}>
                  {model.name}
                </option>
              ))}
            </select>
          </label>
        )
      }
    >
      {shown === undefined ? (
        <p className="muted">
          No window is full yet. It needs some thousand rows, or six hours with at least some
          hundred; the rules of the API say how many.
        </p>
      ) : (
        <DriftMap key={shown.model_id} modelId={shown.model_id} />
      )}
    </Panel>
  );
}

function Candidates({ of: candidates }: { of: readonly CandidateWatch[] }) {
  const models = useQuery(modelsQuery);
  const title = (id: string): string => {
    const found = models.data?.find((model) => model.id === id);
    return found === undefined ? id : `${titleOf(found)} ${found.version}`;
  };
  if (candidates.length === 0) return null;
  return (
    <Panel
      title="Candidates"
      note="Versions that judge the same traffic beside the one that decides, or have just taken its place."
    >
      <Scroller label="Candidates" className="tall">
        <table className="data-table">
          <thead>
            <tr>
              <th scope="col">Candidate</th>
              <th scope="col" className="number">
                Rows
              </th>
              <th scope="col" className="number">
                Agreement
              </th>
              <th scope="col" className="number">
                Alerts, both
              </th>
              <th scope="col" className="number">
                Labels
              </th>
              <th scope="col" className="number">
                F1 difference
              </th>
              <th scope="col">Beside</th>
            </tr>
          </thead>
          <tbody>
            {candidates.map((watch) => (
              <tr key={watch.model_id}>
                <th scope="row" className="breakable">
                  <Link href={modelHref(watch.model_id)}>{title(watch.model_id)}</Link>
                  {watch.on_probation && <span className="muted"> on probation</span>}
                </th>
                <td className="number">{formatCount(watch.rows)}</td>
                <td className="number">{formatShare(watch.agreement)}</td>
                <td className="number">
                  {formatCount(watch.candidate_alerts)} / {formatCount(watch.champion_alerts)}
                </td>
                <td className="number">{formatCount(watch.labels)}</td>
                <td className="number">
                  {ranged(
                    watch.f1_difference?.value ?? null,
                    watch.f1_difference?.interval ?? null,
                  )}
                </td>
                <td className="breakable">
                  <Link href={compareHref(watch.champion_id, watch.model_id)}>
                    Compare with {title(watch.champion_id)}
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}

const STATES: Readonly<Record<string, string>> = {
  sent: 'sent',
  waiting: 'waiting',
  given_up: 'given up',
};

function Messages() {
  const messages = useQuery(messagesQuery);
  return (
    <Panel title="Messages" note="What other programs were told, and whether they took it.">
      <Answer of={messages} what="the messages">
        {(list) =>
          list.length === 0 ? (
            <p className="muted">
              None. Start the server with <code>--webhook</code> and every change of a model is
              told.
            </p>
          ) : (
            <Scroller label="Messages" className="short">
              <table className="data-table">
                <thead>
                  <tr>
                    <th scope="col">When</th>
                    <th scope="col">About</th>
                    <th scope="col">To</th>
                    <th scope="col">State</th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((message) => (
                    <tr key={message.number}>
                      <td>
                        <Time at={message.created_at} form="short" />
                      </td>
                      <td>{message.event}</td>
                      <td className="breakable">{message.target}</td>
                      <td className="breakable">
                        {STATES[message.state] ?? message.state},{' '}
                        {plural(message.attempts, 'try', 'tries')}
                        {message.last_error !== null && (
                          <span className="muted">: {message.last_error}</span>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroller>
          )
        }
      </Answer>
    </Panel>
  );
}
