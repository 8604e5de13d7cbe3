const TONES: Readonly<Record<string, string>> = {
  complete: 'good',
  running: 'busy',
  failed: 'bad',
  interrupted: 'warn',
  retrying: 'warn',
};

/** State of a job or a batch. */
export function StatusBadge({ status }: { status: string }) {
  return <span className={`badge tone-${TONES[status] ?? 'quiet'}`}>{status}</span>;
}
