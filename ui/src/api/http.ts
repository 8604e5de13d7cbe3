import type { Decoder } from './shape.ts';

/** A refusal by the server, with its own words. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** Reads a path below `/api/v1`, or throws an `ApiError` with the server's `detail`. */
export async function getJson<T>(
  path: string,
  decoder: Decoder<T>,
  signal?: AbortSignal,
): Promise<T> {
  return decodeSuccess(await request(path, { signal }), decoder);
}

/** Changes what is at a path below `/api/v1`; refusals are thrown as by `getJson`. */
export async function patchJson<T>(path: string, change: unknown, decoder: Decoder<T>): Promise<T> {
  return decodeSuccess(await request(path, bodyOf('PATCH', change)), decoder);
}

/** Asks for something to be done; refusals are thrown as by `getJson`. */
export async function postJson<T>(path: string, order: unknown, decoder: Decoder<T>): Promise<T> {
  return decodeSuccess(await request(path, bodyOf('POST', order)), decoder);
}

/** Sends a form, such as one with a file; refusals are thrown as by `getJson`. */
export async function postForm<T>(path: string, form: FormData, decoder: Decoder<T>): Promise<T> {
  return decodeSuccess(await request(path, { method: 'POST', body: form }), decoder);
}

/** Deletes what is at a path; refusals are thrown as by `getJson`. */
export async function deleteAt<T>(path: string, decoder: Decoder<T>): Promise<T> {
  return decodeSuccess(await request(path, { method: 'DELETE' }), decoder);
}

function bodyOf(method: 'PATCH' | 'POST', content: unknown): Request {
  return { method, body: JSON.stringify(content) };
}

function decodeSuccess<T>({ status, body }: Answer, decoder: Decoder<T>): T {
  if (status < 200 || status >= 300) throw new ApiError(status, detailOf(body, status));
  return decoder(body, 'answer');
}

/** Like `getJson`, for answers whose body is the message whatever the status says. */
export async function getJsonOfAnyStatus<T>(
  path: string,
  decoder: Decoder<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { status, body } = await request(path, { signal });
  try {
    return decoder(body, 'answer');
  } catch (error) {
    if (status >= 400) throw new ApiError(status, detailOf(body, status));
    throw error;
  }
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Request {
  readonly method?: 'PATCH' | 'POST' | 'DELETE';
  /** Text is JSON; a form says itself what it is. */
  readonly body?: string | FormData;
  readonly signal?: AbortSignal | undefined;
}

async function request(path: string, { method, body, signal }: Request): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      headers: {
        accept: 'application/json',
        ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
      },
      ...(method ? { method } : {}),
      ...(body === undefined ? {} : { body }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server does not answer. Check that Tripline is running.');
  }
  return { status: response.status, body: parseJson(await response.text()) };
}

/** The body as JSON, or as the text it is: a proxy in between may answer in HTML. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** What an error body says, in the `{"detail": …}` shape or in the list shape of FastAPI. */
export function detailOf(body: unknown, status: number): string {
  if (typeof body === 'object' && body !== null && 'detail' in body) {
    const { detail } = body;
    if (typeof detail === 'string') return detail;
    return JSON.stringify(detail);
  }
  return `The server answered with status ${status} and gave no reason.`;
}
