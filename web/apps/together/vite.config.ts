// Builds the page of the mutual-exclusion test into dist/; no part of the product.
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  base: './',
  plugins: [react()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: { target: 'es2022', modulePreload: { polyfill: false }, minify: false },
});
