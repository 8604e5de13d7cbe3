import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { batchesQuery, jobsQuery } from '../api/queries.ts';
import type { Batch, Job } from '../api/uploads.ts';
import { formatCount } from '../format/numbers.ts';
import { batchHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { Panel } from '../parts/panel.tsx';
import { Scroller } from '../parts/scroller.tsx';
import { StatusBadge } from '../parts/status-badge.tsx';
import { Time } from '../parts/time.tsx';

interface Row {
  readonly batchId: string;
  readonly name: string;
  readonly at: string | null;
  readonly rows: number;
  readonly status: string | null;
}

export function BatchesPage() {
  const batches = useQuery(batchesQuery);
  const jobs = useQuery(jobsQuery);
  return (
    <Page
      title="Batches"
      intro="Uploaded files, newest first, each with its report."
      actions={
        <Link className="button primary" href="/upload">
          Upload a file
        </Link>
      }
    >
      <Panel title="Uploaded files">
        <Answer of={batches} what="the batches">
          {(stored) => <BatchTable rows={merge(stored, jobs.data ?? [])} />}
        </Answer>
      </Panel>
    </Page>
  );
}

/** Stored batches, and before them the jobs that have not stored anything yet or never did. */
function merge(batches: readonly Batch[], jobs: readonly Job[]): Row[] {
  const known = new Set(batches.map((batch) => batch.batch_id));
  const jobOfBatch = new Map(jobs.map((job) => [job.batch_id, job]));
  const unstored = jobs.filter((job) => !known.has(job.batch_id));
  return [
    ...unstored.map((job) => ({
      batchId: job.batch_id,
      name: job.file_name ?? job.batch_id,
      at: job.started_at,
      rows: job.rows_scored,
      status: job.status,
    })),
    ...batches.map((batch) => ({
      batchId: batch.batch_id,
      name: batch.file_name ?? batch.batch_id,
      at: batch.uploaded_at,
      rows: batch.row_count,
      status: jobOfBatch.get(batch.batch_id)?.status ?? batch.status,
    })),
  ];
}

function BatchTable({ rows }: { rows: readonly Row[] }) {
  if (rows.length === 0) {
    return (
      <Empty title="No files yet">
        <p>A file you upload appears here with its report.</p>
        <Link className="button primary" href="/upload">
          Upload a CSV file
        </Link>
      </Empty>
    );
  }
  return (
    <Scroller label="Uploaded files">
      <table className="data-table linked">
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col">Uploaded</th>
            <th scope="col" className="number">
              Rows scored
            </th>
            <th scope="col">Status</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.batchId}>
              <td className="breakable">
                <Link className="row-link" href={batchHref(row.batchId)}>
                  {row.name}
                </Link>
              </td>
              <td>
                <Time at={row.at} />
              </td>
              <td className="number">{formatCount(row.rows)}</td>
              <td>{row.status !== null && <StatusBadge status={row.status} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
