import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { testTrafficQuery } from '../api/queries.ts';
import { startStream, stopStreams, type TestTraffic } from '../api/test-traffic.ts';
import { formatCount, plural } from '../format/numbers.ts';
import { Answer, ErrorBox } from './answer.tsx';
import { Field, TextField } from './field.tsx';
import { Panel } from './panel.tsx';
import { Time } from './time.tsx';

const TYPES = [
  ['attack_classification', 'Flows, for the attack classifier'],
  ['threat_detection', 'Connections, for the threat detector'],
] as const;

const nameOf = (type: string): string =>
  TYPES.find(([name]) => name === type)?.[1]
    .split(',')[0]
    ?.toLowerCase() ?? type;

/** Lets the server generate records, to see it at work. */
export function TestStream() {
  const traffic = useQuery(testTrafficQuery);
  return (
    <Panel
      title="Test stream"
      note="Tripline generates the records: no network has seen this traffic. They are judged, stored and counted like any other, so do not start a stream where real figures matter."
    >
      <Answer of={traffic} what="the test streams">
        {(found) =>
          found.is_enabled ? (
            <Controls traffic={found} />
          ) : (
            <p>Switched off on this server by its option --no-test-traffic.</p>
          )
        }
      </Answer>
    </Panel>
  );
}

/** What was typed, as a number where it is one: the server says what is wrong with the rest. */
const typed = (text: string): unknown =>
  text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);

function Controls({ traffic }: { traffic: TestTraffic }) {
  const client = useQueryClient();
  const [count, setCount] = useState('100');
  const [interval, setInterval] = useState('1');
  const [type, setType] = useState<string>(TYPES[0][0]);
  const onSettled = () => client.invalidateQueries({ queryKey: testTrafficQuery.queryKey });
  const start = useMutation({
    mutationFn: () =>
      startStream({ count: typed(count), interval: typed(interval), model_type: type }),
    onMutate: () => {
      stop.reset();
    },
    onSettled,
  });
  const stop = useMutation({
    mutationFn: stopStreams,
    onMutate: () => {
      start.reset();
    },
    onSettled,
  });
  const { streams, topic } = traffic;
  const isBusy = start.isPending || stop.isPending;
  return (
    <>
      <form
        className="test-stream"
        aria-label="Test stream"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy) start.mutate();
        }}
      >
        <div className="fields">
          <TextField label="Records" value={count} onChange={setCount} />
          <TextField label="Seconds between them" value={interval} onChange={setInterval} />
          <Field label="Kind of records">
            {(id) => (
              <select
                id={id}
                value={type}
                onChange={(event) => {
                  setType(event.target.value);
                }}
              >
                {TYPES.map(([name, words]) => (
                  <option key={name} value={name}>
                    {words}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </div>
        {start.error !== null && (
          <ErrorBox title="The test stream was not started" error={start.error} />
        )}
        {stop.error !== null && (
          <ErrorBox title="The test streams were not stopped" error={stop.error} />
        )}
        <div className="test-actions">
          <button type="submit" className="button primary" aria-disabled={isBusy}>
            Start test stream
          </button>
          {streams.length > 0 && (
            <button
              type="button"
              className="button"
              aria-disabled={isBusy}
              onClick={() => {
                if (!isBusy) stop.mutate();
              }}
            >
              {streams.length === 1 ? 'Stop it' : `Stop all ${streams.length}`}
            </button>
          )}
        </div>
        <p className="source-progress" role="status">
          {start.data?.message ?? stop.data?.message}
        </p>
      </form>
      {streams.map((stream) => (
        <div key={stream.id} className="progress">
          <div className="progress-head">
            <span className="progress-label">
              {formatCount(stream.done)} of {plural(stream.count, 'generated record')}
            </span>
            <span className="muted">
              {nameOf(stream.model_type)}, one every {stream.interval} s, since{' '}
              <Time at={stream.started_at} form="short" />
            </span>
          </div>
          <progress
            value={stream.done}
            max={stream.count}
            aria-label={`Records of test stream ${stream.id}`}
          />
        </div>
      ))}
      <Books traffic={traffic} />
      {topic !== null && (
        <p className="muted">
          They go to the Kafka topic <code>{topic}</code> and come back as anybody’s do.
        </p>
      )}
    </>
  );
}

/** What became of the records; nothing as long as there were none. */
function Books({ traffic: { books, last_error } }: { traffic: TestTraffic }) {
  if (books.generated === 0) return null;
  const parts = [
    [books.scored, 'judged and stored'],
    [books.sent, 'sent to Kafka'],
    [books.rejected, 'rejected'],
    [books.dropped, 'dropped'],
  ] as const;
  const shown = parts.filter(([count]) => count > 0);
  return (
    <>
      <p className="muted">
        Since the server was started: {plural(books.generated, 'generated record')}
        {shown.map(([count, words]) => `, ${formatCount(count)} ${words}`)}.
      </p>
      {books.rejected + books.dropped > 0 && last_error !== null && (
        <p className="warning-note breakable">The last one that failed: {last_error}</p>
      )}
    </>
  );
}
