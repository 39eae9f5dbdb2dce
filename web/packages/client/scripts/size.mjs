// Prints what each entry point costs a page, and fails when one is over its budget.
import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

/** Gzipped bytes of an entry point with everything that it imports, React left out. */
const BUDGET_BYTES = { index: 15_000, panels: 3_500, react: 17_500, 'react-panels': 17_500, vapi: 17_500 };
const dist = argv[2] ? pathToFileURL(`${argv[2]}/`) : new URL('../dist/', import.meta.url);

/** The text of a built module and of every module it imports, each once. */
function textOf(name, read = new Set()) {
  if (read.has(name)) return '';
  read.add(name);
  const text = readFileSync(new URL(name, dist), 'utf8');
  const imports = [...text.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)];
  return text + imports.map(([, imported]) => textOf(imported, read)).join('');
}

for (const [entry, budget] of Object.entries(BUDGET_BYTES)) {
  const bytes = gzipSync(textOf(`${entry}.js`), { level: 9 }).length;
  const name = entry === 'index' ? '@greenroom/client' : `@greenroom/client/${entry.replace('-', '/')}`;
  console.log(`${name}: ${(bytes / 1000).toFixed(1)} kB gzipped (budget ${budget / 1000} kB)`);
  if (bytes > budget) process.exitCode = 1;
}
