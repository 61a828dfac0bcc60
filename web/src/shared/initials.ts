export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map(
    (word) => Array.from(word ?? '')[0] ?? '',
  );
  return letters.join('').toUpperCase() || '?';
}

/** A participant has the same colour on every page: one of eight that the style sheet knows. */
export function hueOf(identity: string): string {
  let sum = 0;
  for (const char of identity) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return String(sum % 8);
}
