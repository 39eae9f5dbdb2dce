// Builds the page with Pipecat's own client into dist/, for the tests; no part of the product.
import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  build: { target: 'es2022', modulePreload: { polyfill: false } },
});
