export interface Destination {
  readonly href: string;
  readonly name: string;
  /** Path data of a 20×20 line icon. */
  readonly icon: string;
}

export const DESTINATIONS: readonly Destination[] = [
  { href: '/', name: 'Overview', icon: 'M3 17V9m5 8V4m5 13v-6m4 6V7' },
  { href: '/upload', name: 'Upload', icon: 'M10 13V4m0 0L6 8m4-4 4 4M3 13v3h14v-3' },
  {
    href: '/batches',
    name: 'Batches',
    icon: 'M10 3 3 6.5 10 10l7-3.5L10 3ZM3 10l7 3.5 7-3.5M3 13.5 10 17l7-3.5',
  },
  {
    href: '/verdicts',
    name: 'Verdicts',
    icon: 'M7 5h10M7 10h10M7 15h10M3 5h.01M3 10h.01M3 15h.01',
  },
  // The path `/live` is the server's own: whether it is alive.
  { href: '/realtime', name: 'Live', icon: 'M3 4h14v12H3V4Zm3 4 2.5 2L6 12m5 0h3' },
  {
    href: '/sources',
    name: 'Sources',
    icon: 'M10 10h.01M6.8 13.2a4.5 4.5 0 0 1 0-6.4m6.4 0a4.5 4.5 0 0 1 0 6.4M4.3 15.7a8 8 0 0 1 0-11.4m11.4 0a8 8 0 0 1 0 11.4',
  },
  {
    href: '/labels',
    name: 'Labels',
    icon: 'M4 4h6l6 6-6 6-6-6V4Zm3 3h.01',
  },
  {
    href: '/models',
    name: 'Models',
    icon: 'M10 3v4m0 0H5v4m5-4h5v4M5 11v0m0 0a2 2 0 1 0 0 4 2 2 0 0 0 0-4Zm10 0a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z',
  },
  {
    href: '/monitoring',
    name: 'Monitoring',
    icon: 'M2 10h4l2-5 4 10 2-5h4',
  },
];

/** Whether a path belongs to a destination: a verdict belongs to the verdicts. */
export function isWithin(path: string, href: string): boolean {
  return href === '/' ? path === '/' : path === href || path.startsWith(`${href}/`);
}
