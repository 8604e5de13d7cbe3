import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { Model } from '../api/models.ts';
import { modelsQuery, trainingReportQuery } from '../api/queries.ts';
import { formatBytes, NO_VALUE } from '../format/numbers.ts';
import { compareHref, modelHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { Facts } from '../parts/facts.tsx';
import { InsightPanel } from '../parts/insight-panel.tsx';
import { ModelActions } from '../parts/model-actions.tsx';
import { ModelHistory } from '../parts/model-history.tsx';
import { ModelReport, typeName } from '../parts/model-report.tsx';
import { ModelTextsForm } from '../parts/model-texts.tsx';
import { stageOf, titleOf } from '../parts/model-words.ts';
import { Panel } from '../parts/panel.tsx';
import { StageBadge } from '../parts/stage-badge.tsx';
import { Time } from '../parts/time.tsx';

/** One version of a model: where it stands, what can be done with it, and its report. */
export function ModelPage({ id }: { id: string }) {
  const models = useQuery(modelsQuery);
  const report = useQuery(trainingReportQuery(id));
  const model = models.data?.find((candidate) => candidate.id === id);
  const title = model === undefined ? 'Model' : titleOf(model);
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
      <Answer of={models} what="the model">
        {(all) =>
          model === undefined ? (
            <Empty title="No such model">
              <p>It may have been deleted; its history stays below.</p>
            </Empty>
          ) : (
            <ModelPanels model={model} all={all} />
          )
        }
      </Answer>
      <ModelHistory id={id} />
      {model?.has_bytes === true && <InsightPanel id={id} />}
      {model !== undefined && (
        <Answer of={report} what="the training report">
          {(data) => <ModelReport report={data} />}
        </Answer>
      )}
    </Page>
  );
}

function ModelPanels({ model, all }: { model: Model; all: readonly Model[] }) {
  const parent = all.find((other) => other.id === model.parent_id);
  const relatives = all.filter(
    (other) => other.id !== model.id && (other.slot === model.slot || other.parent_id === model.id),
  );
  return (
    <>
      <Panel title="Where it stands" tools={<StageBadge stage={stageOf(model)} />}>
        <ModelActions model={model} all={all} />
        <Facts
          facts={[
            ['For', typeName(model.model_type)],
            ['Version', <code key="version">{model.version}</code>],
            ['In this stage since', <Time key="since" at={model.stage_changed_at} />],
            ['Came', <Time key="came" at={model.created_at} />],
            ['From', model.uploaded_by ?? model.origin ?? NO_VALUE],
            ['File', model.original_filename ?? NO_VALUE],
            [
              'Size',
              model.file_size_bytes === null ? NO_VALUE : formatBytes(model.file_size_bytes),
            ],
            ['Signature', signatureOf(model)],
            ['Follows', parent === undefined ? NO_VALUE : <ModelLink key="p" model={parent} />],
            [
              'Others in its place',
              relatives.length === 0 ? (
                NO_VALUE
              ) : (
                <ul key="relatives" className="plain-list">
                  {relatives.map((other) => (
                    <li key={other.id}>
                      <ModelLink model={other} /> <StageBadge stage={stageOf(other)} />{' '}
                      <Link href={compareHref(other.id, model.id)}>Compare</Link>
                    </li>
                  ))}
                </ul>
              ),
            ],
            ['Classes', model.class_labels.length === 0 ? NO_VALUE : model.class_labels.join(', ')],
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
      <ModelTextsForm key={`${model.description ?? ''} ${model.notes}`} model={model} />
    </>
  );
}

function ModelLink({ model }: { model: Model }) {
  return (
    <Link href={modelHref(model.id)}>
      {titleOf(model)} {model.version}
    </Link>
  );
}

function signatureOf(model: Model): string {
  if (model.signature === null) return 'none';
  const { key_id: key, trusted, comment } = model.signature;
  return `${trusted ? 'trusted' : 'unknown'} key ${key}${comment === '' ? '' : `, ${comment}`}`;
}
