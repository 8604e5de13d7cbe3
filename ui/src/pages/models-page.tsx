import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { Model } from '../api/models.ts';
import { modelsQuery } from '../api/queries.ts';
import { formatBytes, NO_VALUE, plural } from '../format/numbers.ts';
import { modelHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { Facts } from '../parts/facts.tsx';
import { typeName } from '../parts/model-report.tsx';
import { ModelSummary } from '../parts/model-summary.tsx';
import { Time } from '../parts/time.tsx';

export function ModelsPage() {
  const models = useQuery(modelsQuery);
  return (
    <Page
      title="Models"
      intro="What scores the records, and how well each model did on data it was not trained on."
    >
      <Answer of={models} what="the models">
        {(list) =>
          list.length === 0 ? (
            <Empty title="No models">
              <p>
                Without a model nothing can be scored. Start the server with{' '}
                <code>--models-dir</code> pointing to a folder of model bundles.
              </p>
            </Empty>
          ) : (
            <ul className="cards">
              {[...list]
                .sort((a, b) => Number(b.is_active) - Number(a.is_active))
                .map((model) => (
                  <ModelCard key={model.id} model={model} />
                ))}
            </ul>
          )
        }
      </Answer>
    </Page>
  );
}

function ModelCard({ model }: { model: Model }) {
  const title = model.original_filename ?? model.version;
  return (
    <li className="panel card">
      <div className="panel-head">
        <h2>{typeName(model.model_type)}</h2>
        <span className={`badge ${model.is_active ? 'tone-good' : 'tone-quiet'}`}>
          {model.is_active ? 'active' : 'inactive'}
        </span>
      </div>
      <p className="panel-note breakable">{model.description ?? title}</p>
      <ModelSummary id={model.id} />
      <Facts
        facts={[
          ['Version', model.version],
          ['Features', plural(model.expected_features.length, 'feature')],
          [
            'Classes',
            model.class_labels.length === 0
              ? NO_VALUE
              : plural(model.class_labels.length, 'class', 'classes'),
          ],
          ['Size', model.file_size_bytes === null ? NO_VALUE : formatBytes(model.file_size_bytes)],
          ['Created', <Time key="created" at={model.created_at} />],
        ]}
      />
      <Link className="button" href={modelHref(model.id)}>
        Full report<span className="visually-hidden"> of {title}</span>
      </Link>
    </li>
  );
}
