import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: '/',
  plugins: [react()],
  build: {
    outDir: here('../src/stagedoor/web/static'),
    emptyOutDir: true,
    target: 'es2022',
    // The content security policy allows neither inline scripts nor data: fonts and styles.
    assetsInlineLimit: 0,
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    // The API reference is one bundle as its makers ship it.
    chunkSizeWarningLimit: 1600,
    rolldownOptions: {
      input: ['play', 'embed', 'meet', 'docs', 'gone'].map((page) => here(`./${page}.html`)),
    },
  },
  test: { include: ['src/**/*.test.ts'] },
});
