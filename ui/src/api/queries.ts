import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { fetchHealth } from './health.ts';
import { fetchLabels, type LabelQuery } from './labels.ts';
import {
  fetchComparison,
  fetchHistory,
  fetchInsight,
  fetchModels,
  fetchTrainingReport,
} from './models.ts';
import { fetchDrift, fetchMessages, fetchMonitoring, fetchRetrainings } from './monitoring.ts';
import { fetchStats, fetchStoredPrediction, fetchTimeline } from './predictions.ts';
import { fetchSources } from './sources.ts';
import { fetchTestTraffic } from './test-traffic.ts';
import { fetchBatches, fetchBatchReport, fetchJob, fetchJobs, type Job } from './uploads.ts';
import { fetchExplanation, fetchVerdicts, type VerdictFilter } from './verdicts.ts';

/** Polling stops by itself while the page is hidden (`refetchIntervalInBackground` is off). */
const LIVE_MILLIS = 4_000;
const JOB_MILLIS = 500;
const SLOW_MILLIS = 15_000;

const TIMELINE_BUCKETS = 60;
const PAGE_ROWS = 100;

export const statsQuery = queryOptions({
  queryKey: ['stats'],
  queryFn: ({ signal }) => fetchStats(signal),
  refetchInterval: LIVE_MILLIS,
});

/** The last `spanSeconds` seconds; the window moves with every poll. */
export const timelineQuery = (spanSeconds: number) =>
  queryOptions({
    queryKey: ['timeline', spanSeconds],
    queryFn: ({ signal }) => {
      const to = new Date();
      const from = new Date(to.getTime() - spanSeconds * 1_000);
      return fetchTimeline(from, to, TIMELINE_BUCKETS, signal);
    },
    refetchInterval: LIVE_MILLIS,
  });

export const recentThreatsQuery = queryOptions({
  queryKey: ['verdicts', 'recent-threats'],
  queryFn: ({ signal }) =>
    fetchVerdicts({ threatsOnly: true, attackClass: '', batchId: '' }, 200, null, signal),
  refetchInterval: LIVE_MILLIS,
});

export const verdictsQuery = (filter: VerdictFilter) =>
  infiniteQueryOptions({
    queryKey: ['verdicts', 'list', filter],
    queryFn: ({ pageParam, signal }) => fetchVerdicts(filter, PAGE_ROWS, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const explanationQuery = (id: string) =>
  queryOptions({
    queryKey: ['explanation', id],
    queryFn: ({ signal }) => fetchExplanation(id, signal),
    staleTime: Infinity,
  });

export const storedPredictionQuery = (id: string) =>
  queryOptions({
    queryKey: ['stored-prediction', id],
    queryFn: ({ signal }) => fetchStoredPrediction(id, signal),
  });

export const jobIsRunning = (job: Job | undefined): boolean => job?.status === 'running';

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ['job', id],
    queryFn: ({ signal }) => fetchJob(id, signal),
    refetchInterval: (query) =>
      query.state.data === undefined || jobIsRunning(query.state.data) ? JOB_MILLIS : false,
    // A hidden tab must still notice that its upload is done.
    refetchIntervalInBackground: true,
  });

export const jobsQuery = queryOptions({
  queryKey: ['jobs'],
  queryFn: ({ signal }) => fetchJobs(signal),
  refetchInterval: (query) => (query.state.data?.some(jobIsRunning) ? 1_000 : SLOW_MILLIS),
});

export const batchesQuery = queryOptions({
  queryKey: ['batches'],
  queryFn: ({ signal }) => fetchBatches(signal),
  refetchInterval: SLOW_MILLIS,
});

export const batchReportQuery = (batchId: string) =>
  queryOptions({
    queryKey: ['batch-report', batchId],
    queryFn: ({ signal }) => fetchBatchReport(batchId, signal),
    refetchInterval: (query) => (query.state.data?.status === 'running' ? 1_000 : false),
  });

export const modelsQuery = queryOptions({
  queryKey: ['models'],
  queryFn: ({ signal }) => fetchModels(signal),
  refetchInterval: SLOW_MILLIS,
});

export const historyQuery = (id: string) =>
  queryOptions({
    queryKey: ['models', 'history', id],
    queryFn: ({ signal }) => fetchHistory(id, signal),
    refetchInterval: SLOW_MILLIS,
  });

export const labelsQuery = (filter: LabelQuery) =>
  infiniteQueryOptions({
    queryKey: ['labels', filter],
    queryFn: ({ pageParam, signal }) => fetchLabels(filter, pageParam, signal),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
  });

export const trainingReportQuery = (id: string) =>
  queryOptions({
    queryKey: ['training-report', id],
    queryFn: ({ signal }) => fetchTrainingReport(id, signal),
    staleTime: Infinity,
  });

export const comparisonQuery = (a: string, b: string, data: string | null) =>
  queryOptions({
    queryKey: ['models', 'compare', a, b, data],
    queryFn: ({ signal }) => fetchComparison(a, b, data, signal),
    staleTime: SLOW_MILLIS,
    retry: false,
  });

export const insightQuery = (id: string) =>
  queryOptions({
    queryKey: ['insight', id],
    queryFn: ({ signal }) => fetchInsight(id, signal),
    staleTime: Infinity,
  });

export const monitoringQuery = queryOptions({
  queryKey: ['monitoring'],
  queryFn: ({ signal }) => fetchMonitoring(signal),
  refetchInterval: SLOW_MILLIS,
});

export const driftQuery = (modelId: string) =>
  queryOptions({
    queryKey: ['monitoring', 'drift', modelId],
    queryFn: ({ signal }) => fetchDrift(modelId, signal),
    refetchInterval: SLOW_MILLIS,
  });

export const messagesQuery = queryOptions({
  queryKey: ['messages'],
  queryFn: ({ signal }) => fetchMessages(signal),
  refetchInterval: SLOW_MILLIS,
});

export const retrainingsQuery = queryOptions({
  queryKey: ['retrainings'],
  queryFn: ({ signal }) => fetchRetrainings(signal),
  refetchInterval: LIVE_MILLIS,
});

export const sourcesQuery = queryOptions({
  queryKey: ['sources'],
  queryFn: ({ signal }) => fetchSources(signal),
  refetchInterval: LIVE_MILLIS,
});

export const testTrafficQuery = queryOptions({
  queryKey: ['test-traffic'],
  queryFn: ({ signal }) => fetchTestTraffic(signal),
  refetchInterval: (query) => (query.state.data?.streams.length ? 1_000 : LIVE_MILLIS),
});

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => fetchHealth(signal),
  refetchInterval: LIVE_MILLIS,
});
