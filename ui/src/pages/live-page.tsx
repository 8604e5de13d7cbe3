import { useEffect, useRef, useState } from 'react';
import { type Connection, listen, type LiveVerdict } from '../api/live.ts';
import { isThreat } from '../format/decision.ts';
import { formatCount } from '../format/numbers.ts';
import { Page } from '../layout/page.tsx';
import { Empty, ErrorBox } from '../parts/answer.tsx';
import { LiveTable } from '../parts/live-table.tsx';
import { Panel } from '../parts/panel.tsx';
import { Stats } from '../parts/stat.tsx';
import { TestStream } from '../parts/test-stream.tsx';

/** Verdicts that stay on the page. */
const KEPT = 200;
/** Verdicts may fall faster than a page can be drawn. */
const DRAW_MILLIS = 250;

const CONNECTION: Readonly<Record<Connection, { words: string; tone: string }>> = {
  connecting: { words: 'connecting', tone: 'busy' },
  open: { words: 'listening', tone: 'good' },
  lost: { words: 'connection lost, trying again', tone: 'warn' },
};

export function LivePage() {
  const live = useLive();
  const { words, tone } = CONNECTION[live.connection];
  return (
    <Page
      title="Live"
      intro="Verdicts as they fall, whichever server of this system has judged. Uploaded files have reports of their own."
      actions={
        <button type="button" className="button" aria-pressed={live.isPaused} onClick={live.toggle}>
          {live.isPaused ? 'Go on' : 'Pause'}
        </button>
      }
    >
      <Stats
        stats={[
          { name: 'Verdicts since this page was opened', value: formatCount(live.heard) },
          { name: 'Of them threats', value: formatCount(live.threats), tone: 'threat' },
        ]}
      />
      <TestStream />
      <Panel
        title="Verdicts"
        note={`The newest first; the last ${KEPT} stay here.`}
        tools={
          <span className={`badge tone-${live.isPaused ? 'quiet' : tone}`} role="status">
            {live.isPaused ? 'paused' : words}
          </span>
        }
      >
        {live.error !== null && (
          <ErrorBox title="A message of the stream could not be read" error={live.error} />
        )}
        {live.verdicts.length === 0 ? (
          <Empty title="Nothing has fallen yet">
            <p>
              Verdicts of captures, Kafka topics and the scoring API appear here by themselves. To
              see it at work, start a test stream.
            </p>
          </Empty>
        ) : (
          <LiveTable verdicts={live.verdicts} />
        )}
      </Panel>
    </Page>
  );
}

interface Seen {
  readonly verdicts: readonly LiveVerdict[];
  readonly heard: number;
  readonly threats: number;
}

/** What is heard; counted while the page is paused, and shown when it goes on. */
function useLive() {
  const [connection, setConnection] = useState<Connection>('connecting');
  const [error, setError] = useState<Error | null>(null);
  const [seen, setSeen] = useState<Seen>({ verdicts: [], heard: 0, threats: 0 });
  const [shown, setShown] = useState<readonly LiveVerdict[] | null>(null);
  const fresh = useRef<LiveVerdict[]>([]);

  useEffect(() => {
    const draw = (): void => {
      const news = fresh.current;
      if (news.length === 0) return;
      fresh.current = [];
      const threats = news.filter(({ decision }) => isThreat(decision)).length;
      setSeen((before) => ({
        verdicts: [...news.toReversed(), ...before.verdicts].slice(0, KEPT),
        heard: before.heard + news.length,
        threats: before.threats + threats,
      }));
    };
    const timer = window.setInterval(draw, DRAW_MILLIS);
    const stop = listen({
      heard: (verdict) => fresh.current.push(verdict),
      connection: setConnection,
      failed: setError,
    });
    return () => {
      stop();
      window.clearInterval(timer);
    };
  }, []);

  return {
    connection,
    error,
    heard: seen.heard,
    threats: seen.threats,
    verdicts: shown ?? seen.verdicts,
    isPaused: shown !== null,
    toggle: () => {
      setShown((paused) => (paused === null ? seen.verdicts : null));
    },
  };
}
