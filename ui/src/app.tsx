import { Route, Switch } from 'wouter';
import { Shell } from './layout/shell.tsx';
import { BatchPage } from './pages/batch-page.tsx';
import { BatchesPage } from './pages/batches-page.tsx';
import { ComparePage } from './pages/compare-page.tsx';
import { LabelsPage } from './pages/labels-page.tsx';
import { LivePage } from './pages/live-page.tsx';
import { ModelPage } from './pages/model-page.tsx';
import { ModelsPage } from './pages/models-page.tsx';
import { MonitoringPage } from './pages/monitoring-page.tsx';
import { NotFoundPage } from './pages/not-found-page.tsx';
import { OverviewPage } from './pages/overview-page.tsx';
import { SourcesPage } from './pages/sources-page.tsx';
import { UploadPage } from './pages/upload-page.tsx';
import { VerdictPage } from './pages/verdict-page.tsx';
import { VerdictsPage } from './pages/verdicts-page.tsx';

export function App() {
  return (
    <Shell>
      <Switch>
        <Route path="/" component={OverviewPage} />
        <Route path="/upload" component={UploadPage} />
        <Route path="/batches" component={BatchesPage} />
        <Route path="/batches/:id">{({ id }) => <BatchPage key={id} id={id} />}</Route>
        <Route path="/verdicts" component={VerdictsPage} />
        <Route path="/verdicts/:id">{({ id }) => <VerdictPage key={id} id={id} />}</Route>
        <Route path="/realtime" component={LivePage} />
        <Route path="/sources" component={SourcesPage} />
        <Route path="/labels" component={LabelsPage} />
        <Route path="/monitoring" component={MonitoringPage} />
        <Route path="/models" component={ModelsPage} />
        <Route path="/models/compare" component={ComparePage} />
        <Route path="/models/:id">{({ id }) => <ModelPage key={id} id={id} />}</Route>
        <Route component={NotFoundPage} />
      </Switch>
    </Shell>
  );
}
