import { Problem, parseRetryAfter, problemFrom, unreachable } from '../shared/problem';

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly locale: string | null;
  readonly timeZone: string | null;
  readonly operator: boolean;
}

export interface Organisation {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly role: string;
}

export interface AccessToken {
  readonly id: string;
  readonly name: string;
  readonly hint: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
}

export interface OwnRoom {
  readonly app: string;
  readonly appName: string;
  readonly room: string;
  readonly live: boolean;
  readonly participants: number;
  readonly role: string;
}

export interface Joined {
  readonly token: string;
  readonly name: string;
}

export interface Me {
  readonly user: User | null;
  readonly scopes: readonly string[];
  readonly organisations: readonly Organisation[];
}

export interface Session {
  readonly id: string;
  readonly current: boolean;
  readonly address: string;
  readonly userAgent: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
}

export interface AccountLink {
  readonly purpose: 'first_owner' | 'password';
  readonly email: string | null;
  readonly expiresAt: string;
}

const TIMEOUT_MS = 20_000;

/** The `data` of an answer of the API; the cookie of the session goes along by itself. Every failure is a Problem. */
export async function call<T>(method: string, path: string, body?: object): Promise<T> {
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    answer = response.status === 204 ? { data: undefined } : await response.json().catch(() => undefined);
  } catch {
    throw unreachable();
  }
  if (!response.ok) {
    throw problemFrom(response.status, answer, parseRetryAfter(response.headers.get('retry-after'), Date.now()));
  }
  return (answer as { data: T }).data;
}

/** The sentence for a person about a failure. */
export function sentenceFor(failure: unknown): string {
  return failure instanceof Problem ? failure.detail : 'Something went wrong on this page; load it again.';
}

export function isSignedOut(failure: unknown): boolean {
  return failure instanceof Problem && failure.status === 401 && failure.code !== 'wrong_credentials';
}
