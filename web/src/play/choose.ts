export interface Candidate {
  readonly sid: string;
  readonly kind: 'screen' | 'camera';
  /** Muted, or not yet arriving. */
  readonly dark: boolean;
  /** When its publisher came, in milliseconds. */
  readonly since: number;
}

const MOST = 16;

/** What a viewer sees: the newest screen alone, else every camera, oldest publisher first. */
export function choose<T extends Candidate>(candidates: readonly T[]): T[] {
  const bright = candidates.filter((candidate) => !candidate.dark);
  const screens = bright.filter((candidate) => candidate.kind === 'screen').sort(newestFirst);
  const [newest] = screens;
  if (newest) return [newest];
  return bright.sort(newestFirst).slice(0, MOST).reverse();
}

function newestFirst(a: Candidate, b: Candidate): number {
  return b.since - a.since || (a.sid < b.sid ? 1 : -1);
}
