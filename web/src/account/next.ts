/**
 * Where to go after a sign-in: only to a page of this very host, whatever the address asks for. What is behind the # of
 * the address goes along.
 */
export function nextPage({ search, origin, hash }: Pick<Location, 'search' | 'origin' | 'hash'>): string {
  const wanted = new URLSearchParams(search).get('next');
  if (!wanted?.startsWith('/')) return '/account';
  try {
    const url = new URL(wanted, origin);
    if (url.origin !== origin) return '/account';
    return url.pathname + url.search + (url.hash || hash);
  } catch {
    return '/account';
  }
}
