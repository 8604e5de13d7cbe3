import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { modelsQuery, trainingReportQuery } from '../api/queries.ts';
import { NO_VALUE } from '../format/numbers.ts';
import { Page } from '../layout/page.tsx';
import { Answer } from '../parts/answer.tsx';
import { Facts } from '../parts/facts.tsx';
import { ModelReport, typeName } from '../parts/model-report.tsx';
import { Panel } from '../parts/panel.tsx';
import { Time } from '../parts/time.tsx';

/** One model and its training report. */
export function ModelPage({ id }: { id: string }) {
  const models = useQuery(modelsQuery);
  const report = useQuery(trainingReportQuery(id));
  const model = models.data?.find((candidate) => candidate.id === id);
  const title = model === undefined ? 'Model' : typeName(model.model_type);
  return (
    <Page
      title={title}
      intro={<span className="breakable">{model?.description ?? id}</span>}
      actions={
        <Link className="button" href="/models">
          All models
        </Link>
      }
    >
      {model !== undefined && (
        <Panel title="Model">
          <Facts
            facts={[
              ['Version', model.version],
              ['State', model.is_active ? 'active' : 'inactive'],
              ['File', model.original_filename ?? NO_VALUE],
              ['Created', <Time key="created" at={model.created_at} />],
              [
                'Classes',
                model.class_labels.length === 0 ? NO_VALUE : model.class_labels.join(', '),
              ],
              ['Preparation', model.preprocessing_notes ?? NO_VALUE],
            ]}
          />
          {model.expected_features.length > 0 && (
            <details className="table-toggle">
              <summary>Features ({model.expected_features.length})</summary>
              <ul className="name-list">
                {model.expected_features.map((name) => (
                  <li key={name}>
                    <code>{name}</code>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </Panel>
      )}
      <Answer of={report} what="the training report">
        {(data) => <ModelReport report={data} />}
      </Answer>
    </Page>
  );
}
