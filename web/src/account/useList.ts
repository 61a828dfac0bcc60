import { useCallback, useEffect, useState } from 'react';
import { callPage } from './api';

/** A list of an organisation, a page at a time; what is changed here is changed by `edit` without another request. */
export function useList<T extends { readonly id: string }>(
  path: string,
  organisation: string,
  failed: (failure: unknown) => void,
) {
  const [items, setItems] = useState<readonly T[]>();
  const [next, setNext] = useState<string | null>(null);
  const load = useCallback(
    (cursor: string | null) => {
      callPage<T>(path, organisation, cursor)
        .then(({ data, page }) => {
          setItems((now) => (cursor === null || !now ? data : [...now, ...data]));
          setNext(page.next);
        })
        .catch(failed);
    },
    [path, organisation, failed],
  );
  useEffect(() => load(null), [load]);
  const edit = (change: (now: readonly T[]) => readonly T[]) => setItems((now) => now && change(now));
  return { items, edit, hasMore: next !== null, more: () => load(next) };
}
