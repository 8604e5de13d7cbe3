import { useQuery } from '@tanstack/react-query';
import { trainingReportQuery } from '../api/queries.ts';
import { Loading } from './answer.tsx';
import { figuresOf } from './model-figures.ts';
import { Stats } from './stat.tsx';

const MAX_FIGURES = 3;

/** The headline figures of a report and what they were measured on, or that there are none. */
export function ModelSummary({ id }: { id: string }) {
  const report = useQuery(trainingReportQuery(id));
  if (report.error !== null) {
    return <p className="warning-note">No report: {report.error.message}</p>;
  }
  if (report.data === undefined) return <Loading what="the report" />;
  const [first] = figuresOf(report.data);
  if (first === undefined) return <p className="warning-note">The report has no figures.</p>;
  return (
    <>
      <Stats stats={first.stats.slice(0, MAX_FIGURES)} />
      <p className="panel-note">on {first.name}</p>
    </>
  );
}
