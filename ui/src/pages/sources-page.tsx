import { useQuery } from '@tanstack/react-query';
import { sourcesQuery } from '../api/queries.ts';
import { Page } from '../layout/page.tsx';
import { Answer } from '../parts/answer.tsx';
import { SourcePanel } from '../parts/source-panel.tsx';

export function SourcesPage() {
  const sources = useQuery(sourcesQuery);
  return (
    <Page
      title="Sources"
      intro="Where traffic comes from by itself. What is turned on here stays on after a restart."
    >
      <Answer of={sources} what="the sources">
        {(list) => list.map((source) => <SourcePanel key={source.source_name} source={source} />)}
      </Answer>
    </Page>
  );
}
