// Builds the page with VAPI's own SDK into dist/, for the tests; no part of the product. Of the SDK not a
// character is changed: only what it finds under the name of Daily's library is chosen by the page's address.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const ofTheSdk = createRequire(createRequire(import.meta.url).resolve('@vapi-ai/web'));

export default defineConfig({
  base: './',
  resolve: {
    alias: {
      'real-daily-js': ofTheSdk.resolve('@daily-co/daily-js'),
      '@daily-co/daily-js': fileURLToPath(new URL('src/daily.ts', import.meta.url)),
    },
  },
  build: { target: 'es2022', modulePreload: { polyfill: false }, chunkSizeWarningLimit: 2_000 },
});
