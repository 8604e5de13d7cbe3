import type { Explanation, Flow, Moment, Opinion } from '../api/verdicts.ts';
import { PacketTimeline } from '../charts/packet-timeline.tsx';
import { connectionWords, endPoint, endWords } from '../format/flow.ts';
import {
  formatCount,
  formatProbability,
  formatSeconds,
  NO_VALUE,
  plural,
} from '../format/numbers.ts';
import { Facts } from './facts.tsx';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';
import { Time } from './time.tsx';

/** The flow behind a verdict, what each schema's models think of it, and its first packets. */
export function FlowPanels({ explanation }: { explanation: Explanation }) {
  const { flow, opinions, timeline } = explanation;
  if (flow === null) return null;
  return (
    <>
      <div className="columns even">
        <Panel title="Flow">
          <FlowFacts flow={flow} />
        </Panel>
        {opinions.length > 0 && (
          <Panel
            title="Opinions"
            note="Each schema has models of its own. One alarm is enough; the strongest opinion is the verdict."
          >
            <Opinions opinions={opinions} decidedBy={explanation.verdict.schema} />
          </Panel>
        )}
      </div>
      {timeline.length > 0 && (
        <Panel title="Packets" note={packetNote(flow, timeline.length)}>
          <PacketTimeline timeline={timeline} />
          <details className="table-toggle">
            <summary>As a table</summary>
            <PacketTable timeline={timeline} />
          </details>
        </Panel>
      )}
    </>
  );
}

function packetNote(flow: Flow, shown: number): string {
  const all = flow.packets_forward + flow.packets_backward;
  return all > shown
    ? `The first ${formatCount(shown)} of ${formatCount(all)} packets.`
    : `All ${plural(all, 'packet')}.`;
}

function FlowFacts({ flow }: { flow: Flow }) {
  return (
    <Facts
      facts={[
        ['Source', endPoint(flow.src_ip, flow.src_port)],
        ['Destination', endPoint(flow.dst_ip, flow.dst_port)],
        ['Protocol', flow.protocol],
        ['Service by its port', flow.service ?? NO_VALUE],
        ['Connection', flow.connection === null ? NO_VALUE : connectionWords(flow.connection)],
        ['First packet', <Time key="start" at={flow.start} />],
        ['Duration', formatSeconds(flow.duration_seconds)],
        ['Forward', traffic(flow.packets_forward, flow.bytes_forward)],
        ['Backward', traffic(flow.packets_backward, flow.bytes_backward)],
        [
          'Stage',
          flow.stage === 'early'
            ? 'early: a later verdict takes the place of this one'
            : 'final: the flow has ended',
        ],
        ['Ended because', endWords(flow.end_reason)],
        [
          'Flow id',
          <code key="id" className="breakable">
            {flow.flow_id}
          </code>,
        ],
        [
          'Community ID',
          <code key="cid" className="breakable">
            {flow.community_id}
          </code>,
        ],
      ]}
    />
  );
}

function traffic(packets: number, bytes: number): string {
  return `${plural(packets, 'packet')}, ${plural(bytes, 'byte')} of payload`;
}

function Opinions(props: { opinions: readonly Opinion[]; decidedBy: string }) {
  return (
    <Scroller label="Opinions">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col">Schema</th>
            <th scope="col" className="number">
              Probability
            </th>
            <th scope="col">Threat</th>
            <th scope="col">Class</th>
          </tr>
        </thead>
        <tbody>
          {props.opinions.map((opinion) => (
            <tr key={opinion.schema}>
              <th scope="row">
                {opinion.schema}
                {opinion.schema === props.decidedBy && <span className="muted"> decides</span>}
              </th>
              <td className="number">{formatProbability(opinion.probability)}</td>
              <td>{opinion.is_threat ? 'yes' : 'no'}</td>
              <td>
                {opinion.class ?? NO_VALUE}
                {opinion.confidence !== null && (
                  <span className="muted"> {formatProbability(opinion.confidence)}</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}

function PacketTable({ timeline }: { timeline: readonly Moment[] }) {
  return (
    <Scroller label="Packets" className="tall">
      <table className="data-table">
        <thead>
          <tr>
            <th scope="col" className="number">
              After
            </th>
            <th scope="col">Direction</th>
            <th scope="col" className="number">
              Payload bytes
            </th>
            <th scope="col">TCP flags</th>
          </tr>
        </thead>
        <tbody>
          {timeline.map((moment, index) => (
            <tr key={index}>
              <td className="number">{formatSeconds(moment.offset_seconds)}</td>
              <td>{moment.direction}</td>
              <td className="number">{formatCount(moment.payload_bytes)}</td>
              <td>{moment.flags === '' ? NO_VALUE : moment.flags}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
