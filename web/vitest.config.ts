// One run for the tests of the client and of the page.
import react from '@vitejs/plugin-react';
import { defaultClientConditions } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts?(x)', 'apps/*/test/**/*.test.ts?(x)'],
    restoreMocks: true,
    // Every file leaves things as it found them; to load all of it anew for each takes twice as long.
    pool: 'threads',
    isolate: false,
    // A console.error (React's warnings among them) is a failure, not a remark.
    setupFiles: ['./vitest.setup.ts'],
  },
});
