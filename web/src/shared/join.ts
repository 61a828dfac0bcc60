import { Problem, parseRetryAfter, problemFrom, unreachable } from './problem';
import { visitor } from './visitor';

export interface Grant {
  readonly token: string;
  readonly wsUrl: string;
  readonly identity: string;
  readonly room: string;
  readonly canPublish: boolean;
  readonly iceServers?: RTCIceServer[];
}

const TIMEOUT_MS = 10_000;

function isGrant(value: unknown): value is Grant {
  const grant = value as Partial<Grant> | null;
  return typeof grant === 'object' && typeof grant?.token === 'string' && typeof grant.wsUrl === 'string';
}

/** Asks the server for a place in the room. Every failure is a Problem, except an abort. */
export async function requestGrant(joinUrl: string, body: object, signal: AbortSignal): Promise<Grant> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(joinUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, application/problem+json' },
      body: JSON.stringify({ ...body, visitor: visitor() }),
      cache: 'no-store',
      signal: AbortSignal.any([signal, deadline]),
    });
    answer = await response.json().catch(() => undefined);
  } catch {
    signal.throwIfAborted();
    throw unreachable();
  }
  signal.throwIfAborted();
  if (!response.ok) {
    throw problemFrom(
      response.status,
      answer,
      parseRetryAfter(response.headers.get('retry-after'), Date.now()),
    );
  }
  const grant = (answer as { data?: unknown } | undefined)?.data;
  if (!isGrant(grant)) {
    throw new Problem(
      502,
      'The server is having trouble',
      'Its answer could not be understood.',
      'bad_answer',
    );
  }
  return grant;
}
