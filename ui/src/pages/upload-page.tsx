import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { batchesQuery, jobQuery, jobsQuery } from '../api/queries.ts';
import { type Upload, uploadFile } from '../api/uploads.ts';
import { formatBytes } from '../format/numbers.ts';
import { batchHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, ErrorBox } from '../parts/answer.tsx';
import { DropZone } from '../parts/drop-zone.tsx';
import { ExpectedColumns } from '../parts/expected-columns.tsx';
import { JobProgress, ProgressBar } from '../parts/job-progress.tsx';
import { Panel } from '../parts/panel.tsx';

type Step =
  | { readonly kind: 'choosing' }
  | { readonly kind: 'sending'; readonly file: File; readonly sent: number; readonly of: number }
  | { readonly kind: 'scoring'; readonly jobId: string }
  | { readonly kind: 'refused'; readonly fileName: string; readonly error: Error };

export function UploadPage() {
  const [step, setStep] = useState<Step>({ kind: 'choosing' });
  const running = useRef<Upload | null>(null);

  // Leaving the page while the file is on its way ends the upload; once the
  // server has it, the job goes on without us.
  useEffect(
    () => () => {
      running.current?.abort();
    },
    [],
  );

  const send = (file: File): void => {
    setStep({ kind: 'sending', file, sent: 0, of: file.size });
    const upload = uploadFile(file, (sent, of) => {
      setStep({ kind: 'sending', file, sent, of });
    });
    running.current = upload;
    upload.accepted.then(
      ({ job_id: jobId }) => {
        running.current = null;
        setStep({ kind: 'scoring', jobId });
      },
      (error: unknown) => {
        running.current = null;
        setStep({
          kind: 'refused',
          fileName: file.name,
          error: error instanceof Error ? error : new Error(String(error)),
        });
      },
    );
  };

  return (
    <Page
      title="Upload"
      intro="Score a CSV file of connection records, or the flows of a packet capture. Each row and each flow gets a verdict with its reasons."
    >
      <Panel title="File">
        {step.kind === 'refused' && (
          <ErrorBox title={`${step.fileName} was not accepted`} error={step.error} />
        )}
        {(step.kind === 'choosing' || step.kind === 'refused') && <DropZone onFile={send} />}
        {step.kind === 'sending' && (
          <Sending
            file={step.file}
            sent={step.sent}
            of={step.of}
            cancel={() => {
              running.current?.abort();
            }}
          />
        )}
        {step.kind === 'scoring' && (
          <Scoring
            jobId={step.jobId}
            again={() => {
              setStep({ kind: 'choosing' });
            }}
          />
        )}
      </Panel>
      <Panel title="What a capture may be">
        <ul className="plain-list">
          <li>
            pcap or pcapng (<code>.pcap</code>, <code>.pcapng</code>, <code>.cap</code>), plain or
            compressed (<code>.gz</code>, <code>.zst</code>).
          </li>
          <li>
            What cannot be decoded is counted by its cause; a capture that ends in the middle gives
            the flows until there.
          </li>
        </ul>
      </Panel>
      <Panel title="What a CSV file should look like">
        <ul className="plain-list">
          <li>
            A header row names the columns; their order does not matter. NSL-KDD files may come
            without one.
          </li>
          <li>
            A row that cannot be read is rejected with its line and the reason; the other rows are
            scored all the same.
          </li>
          <li>Columns that no model uses are ignored and listed in the report.</li>
          <li>If there is a column of true labels, the report compares the verdicts with it.</li>
        </ul>
        <ExpectedColumns />
      </Panel>
    </Page>
  );
}

function Sending(props: { file: File; sent: number; of: number; cancel: () => void }) {
  const { file, sent, of, cancel } = props;
  return (
    <>
      <ProgressBar
        label={`Sending ${file.name}`}
        share={of === 0 ? null : sent / of}
        note={`${formatBytes(sent)} of ${formatBytes(of)}`}
      />
      <button type="button" className="button" onClick={cancel}>
        Cancel
      </button>
    </>
  );
}

/** Follows the job and goes to its report when there is one. */
function Scoring({ jobId, again }: { jobId: string; again: () => void }) {
  const job = useQuery(jobQuery(jobId));
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const status = job.data?.status;
  const batchId = job.data?.batch_id;

  useEffect(() => {
    if (status !== 'complete' || batchId === undefined) return;
    void client.invalidateQueries({ queryKey: jobsQuery.queryKey });
    void client.invalidateQueries({ queryKey: batchesQuery.queryKey });
    navigate(batchHref(batchId));
  }, [status, batchId, client, navigate]);

  return (
    <Answer of={job} what="the progress">
      {(state) => (
        <>
          <JobProgress job={state} />
          {(state.status === 'failed' || state.status === 'interrupted') && (
            <>
              <ErrorBox
                title={
                  state.status === 'failed'
                    ? 'The file could not be scored'
                    : 'The server stopped while it was scoring the file'
                }
                error={new Error(state.error ?? 'The server gave no reason.')}
              />
              <div className="actions">
                <button type="button" className="button primary" onClick={again}>
                  Choose another file
                </button>
                <Link className="button" href={batchHref(state.batch_id)}>
                  See what was scored
                </Link>
              </div>
            </>
          )}
        </>
      )}
    </Answer>
  );
}
