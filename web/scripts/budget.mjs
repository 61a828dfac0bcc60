// Fails when the built player is too heavy, or a page could not live under its content security policy.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const LIMIT = 200_000;
const built = fileURLToPath(new URL('../../src/stagedoor/pages/static/', import.meta.url));
const pages = ['play', 'embed', 'meet', 'publish', 'account', 'docs', 'unavailable'];
let failed = false;

function fail(sentence) {
  console.error(sentence);
  failed = true;
}

if (!existsSync(join(built, 'play.html'))) {
  console.error('Nothing is built yet: npm run build');
  process.exit(1);
}
const assets = new Set(readdirSync(join(built, 'assets')));
const read = (name) => readFileSync(join(built, name), 'utf8');

/** Everything a page can load, now or later: whatever asset is named by what it loads. */
function reach(page) {
  const found = new Set();
  const follow = (text) => {
    for (const [name] of text.matchAll(/[\w.-]+\.(?:js|css)\b/g)) {
      if (!assets.has(name) || found.has(name)) continue;
      found.add(name);
      follow(read(join('assets', name)));
    }
  };
  follow(read(`${page}.html`));
  return [...found];
}

for (const page of pages) {
  const html = read(`${page}.html`);
  if (!html.includes('<!--stagedoor-config-->')) fail(`${page}: the marker for the configuration is missing`);
  if (/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i.test(html))
    fail(`${page}: has inline script or style`);
  if (/(?:src|href)="(?:https?:)?\/\//i.test(html)) fail(`${page}: loads from somebody else`);
  const size = reach(page)
    .map((name) => gzipSync(readFileSync(join(built, 'assets', name)), { level: 9 }).length)
    .reduce((sum, bytes) => sum + bytes, 0);
  console.log(`${page.padEnd(6)}${(size / 1000).toFixed(1).padStart(7)} kB gzip`);
  if (['play', 'embed'].includes(page) && size > LIMIT) fail(`${page}: more than ${LIMIT / 1000} kB`);
}
process.exit(failed ? 1 : 0);
