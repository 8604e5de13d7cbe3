const CONNECTIONS: Readonly<Record<string, string>> = {
  S0: 'an attempt without an answer',
  S1: 'established, not closed',
  S2: 'only the originator closed',
  S3: 'only the responder closed',
  SF: 'complete',
  REJ: 'rejected',
  RSTO: 'aborted by the originator',
  RSTR: 'aborted by the responder',
  RSTOS0: 'given up by the originator before an answer',
  SH: 'closed by the originator before an answer',
  OTH: 'seen from its middle',
};

const ENDS: Readonly<Record<string, string>> = {
  closed: 'the connection was closed or reset',
  timeout: 'it grew older than two minutes',
  replaced: 'the same ends began something else',
  capture_end: 'the capture ended',
  evicted: 'the table of flows was full',
};

/** An address with its port; IPv6 in brackets, and no port where the protocol has none. */
export function endPoint(address: string, port: number): string {
  if (port === 0) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The state of a connection with its meaning. */
export function connectionWords(state: string): string {
  const meaning = CONNECTIONS[state];
  return meaning === undefined ? state : `${state}: ${meaning}`;
}

/** Why a flow ended, in words. */
export function endWords(reason: string | null): string {
  if (reason === null) return 'it goes on';
  return ENDS[reason] ?? reason;
}
