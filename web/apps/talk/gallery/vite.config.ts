// Builds the gallery: the page on a fake server. It is never part of what is served.
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: { outDir: '../dist/gallery', emptyOutDir: true, target: 'es2022' },
});
