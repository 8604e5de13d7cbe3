import { useQuery } from '@tanstack/react-query';
import { healthProblems } from '../api/health.ts';
import { healthQuery } from '../api/queries.ts';

const TONES: Readonly<Record<string, string>> = {
  healthy: 'good',
  degraded: 'warn',
  unhealthy: 'bad',
};

/** One word on the state of the server, always in view. */
export function HealthChip() {
  const { data, isError } = useQuery(healthQuery);
  const status = isError ? 'unreachable' : (data?.status ?? 'checking');
  const tone = isError ? 'bad' : (TONES[status] ?? 'quiet');
  return (
    <p className={`health-chip tone-${tone}`}>
      <span className="dot" aria-hidden="true" />
      Server {status}
    </p>
  );
}

/** What is wrong and, for models, what to do; nothing when all is well. */
export function HealthStrip() {
  const { data, error } = useQuery(healthQuery);
  if (error !== null) {
    return (
      <div className="strip tone-bad" role="status">
        <strong>The state of the server is not known.</strong> {error.message}
      </div>
    );
  }
  if (data === undefined) return null;
  const problems = healthProblems(data);
  if (data.status === 'healthy' && problems.length === 0) return null;
  return (
    <div className={`strip tone-${TONES[data.status] ?? 'warn'}`} role="status">
      <strong>
        The server is {data.status === 'healthy' ? 'running, but' : `${data.status}.`}
      </strong>
      {problems.length > 0 && (
        <ul>
          {problems.map(({ subject, problem }) => (
            <li key={subject}>
              {subject}: {problem}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
