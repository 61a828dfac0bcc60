/** An answer in the shape of RFC 9457, or what is left of one. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly retryAfterMs?: number,
  ) {
    super(detail || title);
  }

  /** Whether the same request may succeed later without any change. */
  get passing(): boolean {
    return this.status === 0 || [408, 425, 429].includes(this.status) || this.status >= 500;
  }
}

const TITLES: Readonly<Record<number, string>> = {
  401: 'You need a new link',
  403: 'You cannot come in',
  404: 'There is nothing behind this door',
  410: 'This link has expired',
  429: 'Too many people at the door',
};

const DETAILS: Readonly<Record<number, string>> = {
  401: 'This link no longer works. Ask the person who shared it for a new one.',
  403: 'This link does not let you in. Ask the person who shared it for a new one.',
  404: 'The link may have expired, or the room may be closed or private.',
  410: 'Ask the person who shared it for a new one.',
  429: 'Please wait a moment; the page tries again by itself.',
};

function text(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (!header) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** The API's times are RFC 3339 in UTC; people read their own. */
function inLocalTime(sentence: string): string {
  return sentence.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) =>
    new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
  );
}

export function problemFrom(status: number, body: unknown, retryAfterMs?: number): Problem {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const title =
    TITLES[status] ?? (status >= 500 ? 'The server is having trouble' : 'You cannot come in right now');
  const detail = inLocalTime(text(fields.detail)) || DETAILS[status] || 'Please try again in a moment.';
  return new Problem(status, title, detail, text(fields.code), retryAfterMs);
}

export function unreachable(): Problem {
  return new Problem(
    0,
    'The server cannot be reached',
    'Check your internet connection; the page tries again by itself.',
    'unreachable',
  );
}
