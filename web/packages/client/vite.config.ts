// Builds the client as a library: one file for each entry point, React and daily-js left out.
import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    target: 'es2022',
    lib: {
      entry: {
        index: 'src/index.ts',
        panels: 'src/panels/index.ts',
        react: 'src/react/index.ts',
        'react-panels': 'src/react/panels.ts',
        testing: 'src/testing/index.ts',
        vapi: 'src/vapi/index.ts',
      },
      formats: ['es'],
    },
    rollupOptions: {
      external: [/^react($|\/)/, '@daily-co/daily-js'],
      // A library's whitespace is kept unless one insists; it is a tenth of what a page loads.
      // Hooks run in a browser: with this, a page that is rendered on a server may import them too.
      output: { minify: true, banner: ({ name }) => (name.startsWith('react') ? "'use client';" : '') },
    },
    minify: true,
    emptyOutDir: true,
  },
});
