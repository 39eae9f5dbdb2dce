// Prints what the core costs a page, and fails when it is over its budget.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const BUDGET_BYTES = 15_000;
const dist = new URL('../dist/', import.meta.url);
const read = new Set();

/** The text of a built module and of every module it imports, each once. */
function textOf(name) {
  if (read.has(name)) return '';
  read.add(name);
  const text = readFileSync(new URL(name, dist), 'utf8');
  const imports = [...text.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)];
  return text + imports.map(([, imported]) => textOf(imported)).join('');
}

const bytes = gzipSync(textOf('index.js'), { level: 9 }).length;
console.log(`@greenroom/client: ${(bytes / 1000).toFixed(1)} kB gzipped (budget ${BUDGET_BYTES / 1000} kB)`);
if (bytes > BUDGET_BYTES) process.exit(1);
