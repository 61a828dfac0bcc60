import { recall, remember } from './storage';

const KEY = 'stagedoor-visitor';
let made: string | undefined;

/**
 * Who this tab is, for as long as it is open: the server gives the same visitor the same identity, so that coming
 * back after a lost connection replaces the old self, and a ban holds when the visitor joins again.
 */
export function visitor(): string {
  // Not localStorage: two tabs of one browser are two people in a room.
  made ??= recall(KEY, 'tab') ?? random();
  remember(KEY, made, 'tab');
  return made;
}

/** getRandomValues, because randomUUID is missing on pages that are not served over TLS. */
function random(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
