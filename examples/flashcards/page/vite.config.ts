// Builds the page into dist/, from where the backend serves it.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const BACKEND = 'http://127.0.0.1:3051';

export default defineConfig({
  plugins: [react()],
  // The client is a link to this repository here, beside which another React stands.
  resolve: { dedupe: ['react', 'react-dom'] },
  build: { target: 'es2022', modulePreload: { polyfill: false } },
  server: { proxy: { '/api': BACKEND } },
});
