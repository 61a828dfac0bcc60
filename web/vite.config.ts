import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { type Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const outDir = here('../src/stagedoor/pages/static');

/** Beside each asset its compressed forms: they are made once here, and not for every browser that asks. */
const compressed: Plugin = {
  name: 'compressed',
  apply: 'build',
  closeBundle() {
    const folder = join(outDir, 'assets');
    for (const name of readdirSync(folder)) {
      const content = readFileSync(join(folder, name));
      for (const [ending, packed] of [
        ['br', brotliCompressSync(content)],
        ['gz', gzipSync(content, { level: 9 })],
      ] as const) {
        if (packed.length < content.length * 0.9) writeFileSync(join(folder, `${name}.${ending}`), packed);
      }
    }
  },
};

export default defineConfig({
  base: '/',
  plugins: [react(), compressed],
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows neither inline scripts nor data: fonts and styles.
    assetsInlineLimit: 0,
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    // The API reference is one bundle as its makers ship it.
    chunkSizeWarningLimit: 1600,
    rolldownOptions: {
      input: ['play', 'embed', 'meet', 'publish', 'account', 'docs', 'unavailable'].map((page) => here(`./${page}.html`)),
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
