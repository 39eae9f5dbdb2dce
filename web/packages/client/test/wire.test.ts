/** The committed types are those that the committed schema makes. */

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

test('wire.ts is what `make wire` would write', async () => {
  const script = new URL('../scripts/wire.mjs', import.meta.url).href;
  const { generate } = (await import(/* @vite-ignore */ script)) as { generate: () => Promise<string> };
  const committed = await readFile(new URL('../src/wire.ts', import.meta.url), 'utf8');
  expect(committed).toBe(await generate());
});

test('the lock holds no address', async () => {
  const lock = await readFile(new URL('../../../package-lock.json', import.meta.url), 'utf8');
  expect(lock).not.toContain('://');
});
