// Builds the page into the Python package, which serves it and whose wheel carries it; with it what /docs
// shows the API with, and the client for pages that have no build of their own.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

const SERVER = 'http://127.0.0.1:8642';

/** Swagger UI served by Greenroom itself: /docs asks no other host for anything. */
function docsAssets(): Plugin {
  const { resolve } = createRequire(import.meta.url);
  return {
    name: 'docs-assets',
    generateBundle() {
      for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css']) {
        const source = readFileSync(resolve(`swagger-ui-dist/${file}`));
        this.emitFile({ type: 'asset', fileName: `docs-assets/${file}`, source });
      }
    },
  };
}

/** The built client, for `import … from 'https://your.greenroom/client/index.js'`. React's part needs a build, tests are none. */
function clientFiles(): Plugin {
  const built = new URL('../../packages/client/dist/', import.meta.url);
  const isServed = (name: string) => name.endsWith('.js') && !/^(react|session|testing)/.test(name);
  return {
    name: 'client-files',
    generateBundle() {
      for (const file of readdirSync(built).filter(isServed))
        this.emitFile({ type: 'asset', fileName: `client/${file}`, source: readFileSync(new URL(file, built)) });
    },
  };
}

export default defineConfig({
  plugins: [react(), docsAssets(), clientFiles()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: {
    outDir: '../../../src/greenroom/page',
    emptyOutDir: true,
    target: 'es2022',
    // Everything is a file of its own server: no inlined data that a strict policy would refuse.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': SERVER, '/ws': { target: SERVER, ws: true } } },
});
