import { useQuery } from '@tanstack/react-query';
import { historyQuery } from '../api/queries.ts';
import { Answer } from './answer.tsx';
import { Panel } from './panel.tsx';
import { Scroller } from './scroller.tsx';
import { StageBadge } from './stage-badge.tsx';
import { Time } from './time.tsx';

const KINDS: Readonly<Record<string, string>> = {
  added: 'came',
  stage: 'moved',
  described: 'description changed',
  deleted: 'deleted',
};

/** Everything that happened to a model, newest first. */
export function ModelHistory({ id }: { id: string }) {
  const history = useQuery(historyQuery(id));
  return (
    <Panel title="History">
      <Answer of={history} what="the history">
        {(events) => (
          <Scroller label="History" className="short">
            <table className="data-table">
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">What</th>
                  <th scope="col">Who</th>
                  <th scope="col">Why</th>
                </tr>
              </thead>
              <tbody>
                {events.map((event) => (
                  <tr key={event.number}>
                    <td>
                      <Time at={event.at} form="short" />
                    </td>
                    <td>
                      {KINDS[event.kind] ?? event.kind}{' '}
                      {event.to !== null && (
                        <>
                          {event.from !== null && `from ${event.from} `}
                          to <StageBadge stage={event.to} />
                        </>
                      )}
                    </td>
                    <td className="breakable">{event.actor}</td>
                    <td className="breakable">{event.reason}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroller>
        )}
      </Answer>
    </Panel>
  );
}
