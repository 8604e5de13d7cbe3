import type { ReactNode } from 'react';

export interface StatProps {
  readonly name: string;
  readonly value: string;
  readonly note?: ReactNode;
  readonly tone?: 'threat' | 'quiet';
}

/** A row of headline numbers. */
export function Stats({ stats }: { stats: readonly StatProps[] }) {
  return (
    <dl className="stats">
      {stats.map(({ name, value, note, tone }) => (
        <div key={name} className={`stat ${tone === undefined ? '' : `stat-${tone}`}`}>
          <dt>{name}</dt>
          <dd className="stat-value">{value}</dd>
          {note !== undefined && <dd className="stat-note">{note}</dd>}
        </div>
      ))}
    </dl>
  );
}
