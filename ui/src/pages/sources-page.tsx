import { useQuery } from '@tanstack/react-query';
import { sourcesQuery } from '../api/queries.ts';
import { Page } from '../layout/page.tsx';
import { Answer, Empty } from '../parts/answer.tsx';
import { SourceCard } from '../parts/source-card.tsx';

export function SourcesPage() {
  const sources = useQuery(sourcesQuery);
  return (
    <Page
      title="Sources"
      intro="Where traffic comes from by itself. Counts are since the server was started."
    >
      <Answer of={sources} what="the sources">
        {(list) =>
          list.length === 0 ? (
            <Empty title="No sources">
              <p>This server takes traffic from uploads only.</p>
            </Empty>
          ) : (
            <ul className="source-cards">
              {list.map((source) => (
                <SourceCard key={source.source_name} source={source} />
              ))}
            </ul>
          )
        }
      </Answer>
    </Page>
  );
}
