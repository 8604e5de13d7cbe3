import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link } from 'wouter';
import { ApiError } from '../api/http.ts';
import { batchReportQuery, jobIsRunning, jobsQuery } from '../api/queries.ts';
import type { BatchReport, Job } from '../api/uploads.ts';
import { TypeBars } from '../charts/type-bars.tsx';
import { formatCount, formatSeconds, formatShare, NO_VALUE } from '../format/numbers.ts';
import { verdictsHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty, ErrorBox } from '../parts/answer.tsx';
import { CapturePanel } from '../parts/capture-panel.tsx';
import { Facts } from '../parts/facts.tsx';
import { JobProgress } from '../parts/job-progress.tsx';
import { LabelComparison } from '../parts/label-comparison.tsx';
import { Panel } from '../parts/panel.tsx';
import { RejectionTable } from '../parts/rejection-table.tsx';
import { Stats } from '../parts/stat.tsx';
import { StatusBadge } from '../parts/status-badge.tsx';
import { Time } from '../parts/time.tsx';

/** The report of one uploaded file; while its job runs, the progress. */
export function BatchPage({ id }: { id: string }) {
  const report = useQuery(batchReportQuery(id));
  const jobs = useQuery(jobsQuery);
  const client = useQueryClient();
  const job = jobs.data?.find((candidate) => candidate.batch_id === id);
  const status = job?.status;

  // The last poll of a running job may be older than its report.
  useEffect(() => {
    if (status === undefined || status === 'running') return;
    void client.invalidateQueries({ queryKey: batchReportQuery(id).queryKey });
  }, [status, id, client]);

  const name = report.data?.file_name ?? job?.file_name ?? 'Batch';
  const waiting = jobIsRunning(job) && report.data === undefined;
  return (
    <Page
      title={name}
      heading={<span className="breakable">{name}</span>}
      intro={
        report.data !== undefined && (
          <>
            Uploaded <Time at={report.data.uploaded_at} />{' '}
            <StatusBadge status={report.data.status} />
          </>
        )
      }
      actions={
        report.data !== undefined &&
        report.data.rows_scored > 0 && (
          <>
            <Link
              className="button"
              href={verdictsHref({ threatsOnly: false, attackClass: '', batchId: id })}
            >
              All verdicts
            </Link>
            <Link
              className="button primary"
              href={verdictsHref({ threatsOnly: true, attackClass: '', batchId: id })}
            >
              Threats of this file
            </Link>
          </>
        )
      }
    >
      {job !== undefined && <JobState job={job} />}
      {waiting || isMissingAfterFailure(report.error, job) ? null : (
        <Answer of={report} what="the report">
          {(data) => <Report report={data} />}
        </Answer>
      )}
    </Page>
  );
}

/** A job that failed before its first row has no report; its error says all there is. */
function isMissingAfterFailure(error: Error | null, job: Job | undefined): boolean {
  return error instanceof ApiError && error.status === 404 && job?.status === 'failed';
}

function JobState({ job }: { job: Job }) {
  if (job.status === 'running') {
    return (
      <Panel title="In progress">
        <JobProgress job={job} />
      </Panel>
    );
  }
  if (job.error === null && job.status !== 'interrupted') return null;
  return (
    <ErrorBox
      title={
        job.status === 'interrupted'
          ? 'The server stopped while it was scoring this file'
          : 'This file was not scored to its end'
      }
      error={
        new Error(job.error ?? 'What was scored until then is below. Upload the file once more.')
      }
    />
  );
}

function Report({ report }: { report: BatchReport }) {
  const scored = report.rows_scored;
  return (
    <>
      <Stats
        stats={[
          { name: 'Rows read', value: formatCount(report.rows_read) },
          {
            name: 'Rows scored',
            value: formatCount(scored),
            note: report.seconds === null ? undefined : `in ${formatSeconds(report.seconds)}`,
          },
          {
            name: 'Threats',
            value: formatCount(report.threats),
            note: scored === 0 ? undefined : `${formatShare(report.threats / scored)} of the rows`,
            ...(report.threats > 0 ? { tone: 'threat' as const } : {}),
          },
          {
            name: 'Rows rejected',
            value: formatCount(report.rows_rejected),
            note: report.rows_rejected === 0 ? undefined : 'reasons below',
          },
        ]}
      />
      <div className="columns even">
        <Panel title="Attack types">
          {Object.keys(report.attack_types).length === 0 ? (
            <Empty title="No attacks in this file">
              <p>
                {scored === 0
                  ? 'No row could be scored; the rejections below say why.'
                  : 'Every scored row was judged normal.'}
              </p>
            </Empty>
          ) : (
            <TypeBars counts={report.attack_types} batchId={report.batch_id} />
          )}
        </Panel>
        <Panel title="How it was read">
          <Reading report={report} />
        </Panel>
      </div>
      {report.capture !== null && <CapturePanel capture={report.capture} />}
      {report.labelled !== null && <LabelComparison labelled={report.labelled} />}
      {report.rows_rejected > 0 && (
        <Panel
          title="Rejected rows"
          note={
            report.rejections.length < report.rows_rejected
              ? `The first ${formatCount(report.rejections.length)} of ${formatCount(report.rows_rejected)}.`
              : undefined
          }
        >
          <RejectionTable rejections={report.rejections} />
        </Panel>
      )}
    </>
  );
}

function Reading({ report }: { report: BatchReport }) {
  return (
    <>
      <Facts
        facts={[
          ['Schema', report.schema ?? NO_VALUE],
          ...report.models.map(
            (model) => [titleOf(model.role), `${model.name} ${model.version}`] as const,
          ),
        ]}
      />
      {report.notes.length > 0 && (
        <>
          <h3>Notes</h3>
          <ul className="plain-list">
            {report.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </>
      )}
      {report.ignored_columns.length > 0 && (
        <>
          <h3>Ignored columns</h3>
          <ul className="name-list">
            {report.ignored_columns.map((column, index) => (
              <li key={index}>
                <code>{column}</code>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function titleOf(role: string): string {
  const words = role.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
