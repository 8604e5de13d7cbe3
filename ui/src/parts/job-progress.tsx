import type { Job } from '../api/uploads.ts';
import { formatBytes, formatCount, formatShare } from '../format/numbers.ts';
import { Stats } from './stat.tsx';

/** How far the server is with a file: measured, never timed. */
export function JobProgress({ job }: { job: Job }) {
  const share =
    job.bytes_total === null || job.bytes_total === 0
      ? null
      : Math.min(1, job.bytes_read / job.bytes_total);
  return (
    <div className="job">
      <ProgressBar
        label={`The server is scoring ${job.file_name ?? 'the file'}`}
        share={share}
        note={
          job.bytes_total === null
            ? `${formatBytes(job.bytes_read)} read`
            : `${formatBytes(job.bytes_read)} of ${formatBytes(job.bytes_total)} read`
        }
      />
      <Stats
        stats={[
          { name: 'Rows read', value: formatCount(job.rows_read) },
          { name: 'Rows scored', value: formatCount(job.rows_scored) },
          { name: 'Rows rejected', value: formatCount(job.rows_rejected) },
        ]}
      />
    </div>
  );
}

/** A native progress bar; without a share it shows that the end is not known. */
export function ProgressBar(props: { label: string; share: number | null; note: string }) {
  const { label, share, note } = props;
  return (
    <div className="progress">
      <div className="progress-head">
        <span className="progress-label">{label}</span>
        <span className="muted">
          {note}
          {share !== null && ` (${formatShare(share)})`}
        </span>
      </div>
      <progress aria-label={label} max={1} {...(share === null ? {} : { value: share })} />
    </div>
  );
}
