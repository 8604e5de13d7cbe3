import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Model } from '../api/models.ts';
import { modelsQuery } from '../api/queries.ts';
import { formatBytes, NO_VALUE } from '../format/numbers.ts';
import { modelHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { typeName } from '../parts/model-report.tsx';
import { ModelUpload } from '../parts/model-upload.tsx';
import { stageOf, titleOf } from '../parts/model-words.ts';
import { Panel } from '../parts/panel.tsx';
import { Scroller } from '../parts/scroller.tsx';
import { StageBadge } from '../parts/stage-badge.tsx';
import { Stats } from '../parts/stat.tsx';
import { Time } from '../parts/time.tsx';

const STAGES = ['active', 'canary', 'shadow', 'candidate', 'retired'];

export function ModelsPage() {
  const models = useQuery(modelsQuery);
  const [stage, setStage] = useState('');
  return (
    <Page
      title="Models"
      intro="Every version that was let in, and which of them judge. Open one to see how well it does, and to change what it does."
      actions={
        <Link className="button" href="/models/compare">
          Compare two
        </Link>
      }
    >
      <Answer of={models} what="the models">
        {(list) => (
          <>
            <Stats
              stats={STAGES.map((name) => ({
                name,
                value: String(list.filter((model) => stageOf(model) === name).length),
              }))}
            />
            <Panel
              title="Versions"
              tools={
                <label className="choice">
                  Stage
                  <select
                    value={stage}
                    onChange={(event) => {
                      setStage(event.target.value);
                    }}
                  >
                    <option value="">any stage</option>
                    {STAGES.map((name) => (
                      <option key={name} value={name}>
                        {name}
                      </option>
                    ))}
                  </select>
                </label>
              }
            >
              <ModelTable
                models={list.filter((model) => stage === '' || stageOf(model) === stage)}
              />
            </Panel>
          </>
        )}
      </Answer>
      <ModelUpload />
    </Page>
  );
}

function ModelTable({ models }: { models: readonly Model[] }) {
  if (models.length === 0) {
    return (
      <Empty title="No such models">
        <p>
          Without an active model nothing can be judged. Upload one below, or start the server with{' '}
          <code>--models-dir</code> pointing to a folder of model bundles.
        </p>
      </Empty>
    );
  }
  const order = (model: Model): number => STAGES.indexOf(stageOf(model));
  return (
    <Scroller label="Versions of models" className="tall">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Stage</th>
            <th scope="col">For</th>
            <th scope="col">Version</th>
            <th scope="col" className="number">
              Features
            </th>
            <th scope="col" className="number">
              Size
            </th>
            <th scope="col">From</th>
            <th scope="col">Came</th>
          </tr>
        </thead>
        <tbody>
          {[...models]
            .sort((a, b) => order(a) - order(b))
            .map((model) => (
              <tr key={model.id}>
                <th scope="row">
                  <Link href={modelHref(model.id)}>{titleOf(model)}</Link>
                </th>
                <td>
                  <StageBadge stage={stageOf(model)} />
                </td>
                <td>{typeName(model.model_type)}</td>
                <td>
                  <code>{model.version}</code>
                </td>
                <td className="number">{model.expected_features.length}</td>
                <td className="number">
                  {model.file_size_bytes === null ? NO_VALUE : formatBytes(model.file_size_bytes)}
                </td>
                <td>{model.uploaded_by ?? model.origin ?? NO_VALUE}</td>
                <td>
                  <Time at={model.created_at} form="short" />
                </td>
              </tr>
            ))}
        </tbody>
      </table>
    </Scroller>
  );
}
