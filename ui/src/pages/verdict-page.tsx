import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { explanationQuery, storedPredictionQuery } from '../api/queries.ts';
import type { Feature, FeatureValue, Verdict } from '../api/verdicts.ts';
import { decisionSentence, isThreat } from '../format/decision.ts';
import { formatProbability, formatValue, NO_VALUE } from '../format/numbers.ts';
import { batchHref } from '../layout/addresses.ts';
import { Page } from '../layout/page.tsx';
import { Answer, ErrorBox, Loading } from '../parts/answer.tsx';
import { Facts } from '../parts/facts.tsx';
import { FlowPanels } from '../parts/flow-panel.tsx';
import { LabelPanel } from '../parts/label-panel.tsx';
import { NearPanels } from '../parts/near-panels.tsx';
import { Panel } from '../parts/panel.tsx';
import { Scroller } from '../parts/scroller.tsx';
import { SeverityBadge } from '../parts/severity-badge.tsx';
import { StagePanel } from '../parts/stage-panel.tsx';
import { Time } from '../parts/time.tsx';

export function VerdictPage({ id }: { id: string }) {
  const explanation = useQuery(explanationQuery(id));
  const { data, error } = explanation;
  return (
    <Page title="Verdict" intro={<code className="breakable">{id}</code>}>
      {data !== undefined && (
        <>
          <DecisionPanel decision={data.verdict} facts={factsOf(data.verdict)} />
          {data.verdict.id !== null && (
            <LabelPanel
              verdictId={data.verdict.id}
              calledThreat={data.verdict.threat?.is_threat ?? null}
            />
          )}
          <FlowPanels explanation={data} />
          {data.stages.length === 0 && (
            <Panel title="Reasons">
              <p className="muted">The server sent no explanation for this verdict.</p>
            </Panel>
          )}
          {data.stages.map((stage) => (
            <StagePanel key={`${stage.stage} ${stage.class ?? ''}`} stage={stage} />
          ))}
          <NearPanels explanation={data} />
          <FeaturePanel features={data.features} />
        </>
      )}
      {error !== null && data === undefined && <Unexplained id={id} error={error} />}
      {explanation.isPending && <Loading what="the explanation" />}
    </Page>
  );
}

interface DecisionPanelProps {
  readonly decision: Pick<Verdict, 'threat' | 'attack'>;
  readonly facts: readonly (readonly [string, ReactNode])[];
}

function DecisionPanel({ decision, facts }: DecisionPanelProps) {
  return (
    <section
      className={`panel decision ${isThreat(decision) ? 'decision-threat' : ''}`}
      aria-label="Decision"
    >
      <SeverityBadge decision={decision} />
      <p className="decision-sentence">{decisionSentence(decision)}</p>
      <Facts facts={facts} />
    </section>
  );
}

function factsOf(verdict: Verdict): (readonly [string, ReactNode])[] {
  const { threat, attack } = verdict;
  const facts: (readonly [string, ReactNode])[] = [
    ['Scored', <Time key="at" at={verdict.created_at} />],
    ['Source', sourceOf(verdict.source, verdict.batch_id, verdict.row)],
    [
      'Schema',
      verdict.schema_version === null
        ? verdict.schema
        : `${verdict.schema} version ${verdict.schema_version}`,
    ],
  ];
  if (threat !== null) facts.push(['Detector', `${threat.model} ${threat.model_version}`]);
  if (attack !== null) {
    facts.push(['Classifier', `${attack.model} ${attack.model_version}`]);
    facts.push(['Class', withConfidence(attack.class, attack.confidence)]);
    if (attack.named !== null) {
      facts.push(['Finer name', withConfidence(attack.named.label, attack.named.confidence)]);
    }
  }
  if (verdict.label !== null) facts.push(['True label', verdict.label]);
  return facts;
}

function withConfidence(name: string, confidence: number | null): string {
  return confidence === null ? name : `${name}, confidence ${formatProbability(confidence)}`;
}

function sourceOf(source: string, batchId: string | null, row: number | null): ReactNode {
  const name = source.replaceAll('_', ' ');
  const where = row === null ? '' : `, row ${row}`;
  if (batchId === null) return `${name}${where}`;
  return (
    <>
      <Link href={batchHref(batchId)}>{name}</Link>
      {where}
    </>
  );
}

function FeaturePanel({ features }: { features: readonly Feature[] }) {
  return (
    <Panel title="All features" note="The record as the models read it.">
      <Scroller label="All features" className="tall">
        <table className="data-table">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col" className="number">
                Value
              </th>
              <th scope="col">Unit</th>
              <th scope="col">Meaning</th>
            </tr>
          </thead>
          <tbody>
            {features.map((feature) => (
              <tr key={feature.name}>
                <th scope="row">
                  <code>{feature.name}</code>
                </th>
                <td className="number breakable">{formatValue(feature.value)}</td>
                <td>{feature.unit ?? NO_VALUE}</td>
                <td className="wide-text">{feature.description ?? NO_VALUE}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </Panel>
  );
}

/** Without an explanation, what is stored of the verdict is shown all the same. */
function Unexplained({ id, error }: { id: string; error: Error }) {
  const stored = useQuery(storedPredictionQuery(id));
  return (
    <>
      <ErrorBox title="This verdict cannot be explained" error={error}>
        <p>
          An explanation needs the model versions that gave the verdict. What was stored with it is
          below.
        </p>
      </ErrorBox>
      <Answer of={stored} what="the stored verdict">
        {({ traffic_data: traffic, threat_prediction: threat, attack_prediction: attack }) => (
          <>
            <DecisionPanel
              decision={{
                threat: threat && {
                  probability: threat.prediction_score,
                  is_threat: threat.is_attack,
                  threshold: threat.threshold,
                  model: '',
                  model_version: threat.model_version,
                },
                attack: attack && {
                  class: attack.attack_type_name,
                  class_id: null,
                  is_attack: null,
                  confidence: attack.confidence,
                  named: null,
                  model: '',
                  model_version: attack.model_version,
                },
              }}
              facts={[
                ['Scored', <Time key="at" at={traffic.created_at} />],
                ['Source', sourceOf(traffic.source, traffic.batch_id, null)],
                ['Detector version', threat?.model_version ?? NO_VALUE],
                ['Classifier version', attack?.model_version ?? NO_VALUE],
              ]}
            />
            <FeaturePanel
              features={Object.entries(traffic.features).map(([name, value]) => ({
                name,
                value: isPlain(value) ? value : JSON.stringify(value),
                unit: null,
                description: null,
              }))}
            />
          </>
        )}
      </Answer>
    </>
  );
}

function isPlain(value: unknown): value is FeatureValue {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
