import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/http.ts';
import { ShapeError } from './api/shape.ts';
import { App } from './app.tsx';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/parts.css';
import './styles/controls.css';
import './styles/tables.css';
import './styles/charts.css';
import './styles/sources.css';

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal or an answer of the wrong shape will not change by asking again.
      retry: (failures, error) => !isFinal(error) && failures < 2,
      retryDelay: (failures) => 300 * 2 ** failures,
      staleTime: 1_000,
    },
  },
});

function isFinal(error: Error): boolean {
  if (error instanceof ShapeError) return true;
  return error instanceof ApiError && error.status >= 400 && error.status < 500;
}

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
