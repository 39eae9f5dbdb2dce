// Builds the page of the exactly-once test into dist/; no part of the product.
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  base: './',
  plugins: [react()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  // StrictMode does everything twice in React's development build only, and that is the point here.
  mode: 'development',
  define: { 'process.env.NODE_ENV': '"development"' },
  build: { target: 'es2022', modulePreload: { polyfill: false }, minify: false },
});
