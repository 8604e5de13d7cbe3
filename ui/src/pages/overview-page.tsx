import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Stats as PredictionStats } from '../api/predictions.ts';
import { jobsQuery, recentThreatsQuery, statsQuery, timelineQuery } from '../api/queries.ts';
import type { Job } from '../api/uploads.ts';
import { TimelineChart } from '../charts/timeline-chart.tsx';
import { TimelineTable } from '../charts/timeline-table.tsx';
import { TypeBars } from '../charts/type-bars.tsx';
import { formatCount, formatShare, NO_VALUE, plural } from '../format/numbers.ts';
import { verdictsHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { Panel } from '../parts/panel.tsx';
import { Segments } from '../parts/segments.tsx';
import { Stats } from '../parts/stat.tsx';
import { VerdictTable } from '../parts/verdict-table.tsx';

const SPANS = [
  { value: 900, name: '15 min' },
  { value: 3_600, name: '1 hour' },
  { value: 86_400, name: '24 hours' },
  { value: 604_800, name: '7 days' },
  { value: 2_592_000, name: '30 days' },
] as const;

export function OverviewPage() {
  const stats = useQuery(statsQuery);
  const jobs = useQuery(jobsQuery);
  return (
    <Page
      title="Overview"
      intro="All verdicts in the store, refreshed every few seconds while this page is in view."
      actions={
        <Link className="button primary" href="/upload">
          Upload a file
        </Link>
      }
    >
      <Answer of={stats} what="the totals">
        {(totals) => (
          <>
            <Totals totals={totals} jobs={jobs.data} />
            {totals.total_predictions === 0 ? <NothingYet /> : <Activity totals={totals} />}
          </>
        )}
      </Answer>
    </Page>
  );
}

function Totals({ totals, jobs }: { totals: PredictionStats; jobs: Job[] | undefined }) {
  const rejected = jobs?.reduce((sum, job) => sum + job.rows_rejected, 0);
  return (
    <Stats
      stats={[
        { name: 'Verdicts', value: formatCount(totals.total_predictions) },
        {
          name: 'Threats',
          value: formatCount(totals.total_attacks),
          ...(totals.total_attacks > 0 ? { tone: 'threat' as const } : {}),
        },
        {
          name: 'Share of threats',
          value: totals.total_predictions === 0 ? NO_VALUE : formatShare(totals.attack_rate / 100),
        },
        {
          name: 'Rejected rows',
          value: rejected === undefined ? NO_VALUE : formatCount(rejected),
          note: jobs === undefined ? undefined : `in ${plural(jobs.length, 'uploaded file')}`,
        },
      ]}
    />
  );
}

function NothingYet() {
  return (
    <Empty title="No verdicts yet">
      <p>
        Upload a CSV file of connection records and Tripline will score each row and say why. Rows
        sent to <code>POST /api/v1/score</code> appear here as well.
      </p>
      <Link className="button primary" href="/upload">
        Upload a CSV file
      </Link>
    </Empty>
  );
}

function Activity({ totals }: { totals: PredictionStats }) {
  return (
    <>
      <div className="columns">
        <TimelinePanel />
        <Panel title="Attack types">
          {totals.total_attacks === 0 ? (
            <Empty title="No attacks so far">
              <p>Classes appear here with the first threat.</p>
            </Empty>
          ) : (
            <TypeBars counts={totals.attack_type_distribution} />
          )}
        </Panel>
      </div>
      <RecentThreats />
    </>
  );
}

function TimelinePanel() {
  const [span, setSpan] = useState<number>(3_600);
  const timeline = useQuery({ ...timelineQuery(span), placeholderData: (earlier) => earlier });
  return (
    <Panel
      title="Rate over time"
      tools={<Segments legend="Time span" options={SPANS} value={span} onChange={setSpan} />}
    >
      <Answer of={timeline} what="the rate over time">
        {(data) => (
          <>
            <TimelineChart timeline={data} />
            <TimelineTable timeline={data} />
          </>
        )}
      </Answer>
    </Panel>
  );
}

function RecentThreats() {
  const recent = useQuery(recentThreatsQuery);
  return (
    <Panel
      title="Recent threats"
      tools={
        <Link
          className="panel-link"
          href={verdictsHref({ threatsOnly: true, attackClass: '', batchId: '' })}
        >
          All threats
        </Link>
      }
    >
      <Answer of={recent} what="the recent threats">
        {({ verdicts }) =>
          verdicts.length === 0 ? (
            <Empty title="No threats among the verdicts">
              <p>Every record so far was judged normal.</p>
            </Empty>
          ) : (
            <VerdictTable verdicts={verdicts} label="Recent threats" />
          )
        }
      </Answer>
    </Panel>
  );
}
