// Builds the double of daily-js into dist/double.js, a script that can be put into any page.
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: {
    target: 'es2022',
    minify: false,
    emptyOutDir: false,
    lib: { entry: 'src/double.ts', formats: ['iife'], name: 'double', fileName: () => 'double.js' },
  },
});
