// Resolves package-lock.json anew and takes every address out of it: versions and hashes suffice.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const lock = new URL('../package-lock.json', import.meta.url);
execFileSync('npm', ['install', '--package-lock-only', ...process.argv.slice(2)], { stdio: 'inherit' });

const document = JSON.parse(readFileSync(lock, 'utf8'));
for (const entry of Object.values(document.packages)) {
  delete entry.funding;
  if (!entry.link) delete entry.resolved;
}
const text = `${JSON.stringify(document, null, 2)}\n`;
if (text.includes('://')) throw new Error('package-lock.json still holds an address');
writeFileSync(lock, text);
