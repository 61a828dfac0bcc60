import type { Role } from './roles';
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

export interface Member {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
}

export interface WaitingInvitation {
  readonly id: string;
  readonly role: Role;
  readonly email: string | null;
  readonly expiresAt: string;
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

export interface ListPage<T> {
  readonly data: readonly T[];
  readonly page: { readonly next: string | null };
}

/**
 * The answer of the API; the cookie of the session goes along by itself. Every failure is a Problem.
 *
 * `organisation` is the one to act in, of a user who belongs to several.
 */
async function ask(method: string, path: string, body?: object, organisation?: string): Promise<unknown> {
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(organisation && { 'stagedoor-organisation': organisation }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    answer = response.status === 204 ? { data: undefined } : await response.json().catch(() => undefined);
  } catch {
    throw unreachable();
  }
  if (!response.ok) {
    throw problemFrom(response.status, answer, parseRetryAfter(response.headers.get('retry-after'), Date.now()));
  }
  return answer;
}

/** The `data` of an answer. */
export async function call<T>(method: string, path: string, body?: object, organisation?: string): Promise<T> {
  return ((await ask(method, path, body, organisation)) as { data: T }).data;
}

/** One page of a list, from its beginning or from the cursor of the page before. */
export async function callPage<T>(path: string, organisation: string, cursor: string | null): Promise<ListPage<T>> {
  const query = new URLSearchParams({ limit: '200', ...(cursor !== null && { cursor }) });
  return (await ask('GET', `${path}?${query}`, undefined, organisation)) as ListPage<T>;
}

/** The sentence for a person about a failure. */
export function sentenceFor(failure: unknown): string {
  return failure instanceof Problem ? failure.detail : 'Something went wrong on this page; load it again.';
}

export function isSignedOut(failure: unknown): boolean {
  return failure instanceof Problem && failure.status === 401 && failure.code !== 'wrong_credentials';
}
