/** How long something is remembered: by the browser, or by this tab while it is open. */
export type Span = 'browser' | 'tab';

const storage = (span: Span): Storage => (span === 'tab' ? sessionStorage : localStorage);

/** Storage is refused in some frames and private windows, and no page may fail for that. */
export function recall(key: string, span: Span = 'browser'): string | undefined {
  try {
    return storage(span).getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(key: string, value: string, span: Span = 'browser'): void {
  try {
    storage(span).setItem(key, value);
  } catch {
    // Nothing is lost but the memory of a choice.
  }
}
