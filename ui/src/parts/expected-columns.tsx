import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { modelsQuery } from '../api/queries.ts';
import { plural } from '../format/numbers.ts';

/** The columns the active models read, as the server lists them. */
export function ExpectedColumns() {
  const models = useQuery(modelsQuery);
  if (models.error !== null) {
    return (
      <p className="warning-note">Could not load the expected columns: {models.error.message}</p>
    );
  }
  if (models.data === undefined) return null;
  const lists = new Map<string, { title: string; names: string[] }>();
  for (const model of models.data) {
    if (!model.is_active || model.expected_features.length === 0) continue;
    // Two stages of one schema read the same columns: list them once.
    const key = model.expected_features.join('\n');
    if (!lists.has(key)) {
      lists.set(key, { title: model.description ?? model.version, names: model.expected_features });
    }
  }
  if (lists.size === 0) {
    return (
      <p className="warning-note">
        No active model lists its columns. <Link href="/models">Look at the models</Link>.
      </p>
    );
  }
  return [...lists.entries()].map(([key, { title, names }]) => (
    <details key={key} className="table-toggle">
      <summary>
        {plural(names.length, 'column')} for {title}
      </summary>
      <ul className="name-list">
        {names.map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
    </details>
  ));
}
