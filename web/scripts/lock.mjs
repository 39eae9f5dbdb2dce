// Resolves the package-lock.json of the folder it is run in anew, and takes every address out of it: versions and
// hashes suffice.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const LOCK = 'package-lock.json';
execFileSync('npm', ['install', '--package-lock-only', ...process.argv.slice(2)], { stdio: 'inherit' });

const document = JSON.parse(readFileSync(LOCK, 'utf8'));
for (const entry of Object.values(document.packages)) {
  delete entry.funding;
  if (!entry.link && !entry.resolved?.startsWith('file:')) delete entry.resolved;
}
const text = `${JSON.stringify(document, null, 2)}\n`;
if (text.includes('://')) throw new Error(`${LOCK} still holds an address`);
writeFileSync(LOCK, text);
