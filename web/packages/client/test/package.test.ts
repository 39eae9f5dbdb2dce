/** The package as others get it: built, each entry point imported by its name, small, and asking nobody. */

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const here = fileURLToPath(new URL('..', import.meta.url));
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
/** A project of somebody else's, with the built package and React among its modules. */
let project = '';
let dist = '';

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'greenroom-package-'));
  const installed = join(project, 'node_modules', '@greenroom', 'client');
  dist = join(installed, 'dist');
  await mkdir(installed, { recursive: true });
  await cp(join(here, 'package.json'), join(installed, 'package.json'));
  for (const name of ['react', 'react-dom', 'scheduler', '@types'])
    await symlink(join(modules, name), join(project, 'node_modules', name));
  await build({ root: here, logLevel: 'error', build: { outDir: dist, emptyOutDir: true } });
  await run(join(modules, '.bin', 'tsc'), ['-p', join(here, 'tsconfig.types.json'), '--outDir', dist]);
  await writeFile(join(project, 'package.json'), '{ "type": "module" }');
}, 120_000);

afterAll(() => rm(project, { recursive: true }));

async function node(script: string): Promise<unknown> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: project });
  return JSON.parse(stdout);
}

test.each([
  ['@greenroom/client', ['createVoiceClient', 'Exclusion', 'VoiceError', 'ApiError', 'avatarOf', 'activityOf']],
  ['@greenroom/client/react', ['VoiceSessionProvider', 'useVoiceSession', 'useVoiceEvent', 'AssistantButton', 'AssistantCanvas', 'SESSION_STATUS']],
  ['@greenroom/client/react/panels', ['useNotes', 'useToolPanels', 'useOpenPage', 'useAssistants', 'ToolFrame']],
  ['@greenroom/client/panels', ['panelsOf', 'sandboxed', 'withEvent']],
  ['@greenroom/client/vapi', ['default', 'VoiceError']],
  ['@greenroom/client/testing', ['FakeServer', 'FakeMicrophone', 'FakeSocket']],
])('%s can be imported from the built package, without a browser', async (name, exported) => {
  const names = await node(`console.log(JSON.stringify(Object.keys(await import('${name}'))))`);
  expect(names).toEqual(expect.arrayContaining(exported));
});

test('React’s part says that it is for browsers, so that a server component may name it', async () => {
  const starts = await Promise.all(['react.js', 'index.js'].map(async (name) => (await readFile(join(dist, name), 'utf8')).slice(0, 12)));
  expect(starts.map((text) => text === '"use client"')).toEqual([true, false]);
});

test('a whole call runs on the built package', async () => {
  const result = await node(`
    import { createVoiceClient } from '@greenroom/client';
    import { FakeServer } from '@greenroom/client/testing';
    const server = new FakeServer();
    const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
    await client.start();
    await new Promise((resolve) => client.getState().sessionStatus === 'active' ? resolve() : client.subscribe(resolve));
    const { sessionStatus } = client.getState();
    await client.stop();
    console.log(JSON.stringify([sessionStatus, client.getState().end?.reason]));
  `);
  expect(result).toEqual(['active', 'stopped']);
});

test('a page in TypeScript finds the types of every entry point', { timeout: 60_000 }, async () => {
  await writeFile(
    join(project, 'page.tsx'),
    `import { createVoiceClient, type VoiceState } from '@greenroom/client';
     import { AssistantButton, useVoiceEvent, VoiceSessionProvider } from '@greenroom/client/react';
     import { FakeServer } from '@greenroom/client/testing';
     import Vapi from '@greenroom/client/vapi';
     const client = createVoiceClient({ ports: new FakeServer().ports });
     client.on('app.answer', ({ data }) => data.correct satisfies boolean);
     // @ts-expect-error An answer has no such field: the types are there, and they are exact.
     client.on('app.answer', ({ data }) => data.colour);
     export const status: VoiceState['sessionStatus'] = client.getState().sessionStatus;
     new Vapi('token').on('volume-level', (level) => level satisfies number);
     export function Page() {
       useVoiceEvent('voice.transcript', ({ data }) => data.text satisfies string);
       return <VoiceSessionProvider client={client}><AssistantButton labels={{ active: 'End' }} /></VoiceSessionProvider>;
     }`,
  );
  const options = '--strict --noEmit --jsx react-jsx --module esnext --moduleResolution bundler --target es2022 --types react --ignoreConfig';
  await run(join(modules, '.bin', 'tsc'), [...options.split(' '), 'page.tsx'], { cwd: project });
});

test('the core is below 15 kB, and every entry point below its own budget', async () => {
  const { stdout } = await run(process.execPath, [join(here, 'scripts', 'size.mjs'), dist]);
  const bytes = [...stdout.matchAll(/: ([\d.]+) kB gzipped/g)].map(([, kB]) => Number(kB));
  expect(bytes).toHaveLength(5);
  expect(bytes[0]).toBeLessThan(15);
});

test.each([
  ['local', 'RTCPeerConnection'],
  ['daily', 'createCallObject'],
])('what carries the voice to %s rooms is no part of the core, but a file of its own that it loads', async (kind, what) => {
  const [, name] = new RegExp(`import\\([\`"']\\./(${kind}-[\\w-]+\\.js)[\`"']\\)`).exec(await withImports('index.js')) ?? [];
  expect(name).toBeDefined();
  expect(await readFile(join(dist, name as string), 'utf8')).toContain(what);
  expect(await withImports('index.js')).not.toContain(what);
  expect(await withImports('react.js')).not.toContain(what);
});

test('daily-js is nobody’s part: it is asked for by its name, by the file for rooms on Daily alone', async () => {
  const asking: string[] = [];
  for (const name of (await readdir(dist)).filter((each) => each.endsWith('.js'))) {
    const text = await readFile(join(dist, name), 'utf8');
    expect(text, name).not.toContain('call-machine'); // It stands in daily-js: the name of what that loads.
    if (text.includes('@daily-co/daily-js')) asking.push(name);
  }
  expect(asking).toEqual([expect.stringMatching(/^daily-[\w-]+\.js$/)]);
});

test('the page carries daily-js beside it, and not a byte of it in what a local room needs', { timeout: 60_000 }, async () => {
  const talk = fileURLToPath(new URL('../../../apps/talk', import.meta.url));
  const built = await build({ root: talk, logLevel: 'error', build: { write: false } });
  const { output } = built as { output: { fileName: string; code?: string; isEntry?: boolean; imports?: string[] }[] };
  const code = new Map(output.filter((file) => file.code).map((file) => [file.fileName, file]));
  const withAll = (name: string): string => (code.get(name)?.code ?? '') + (code.get(name)?.imports ?? []).map(withAll).join('');
  const entry = output.find((file) => file.isEntry)?.fileName ?? '';
  const local = [...code.keys()].find((name) => /local-[\w-]+\.js$/.test(name)) ?? '';
  expect(withAll(local)).toContain('RTCPeerConnection');
  expect(withAll(entry) + withAll(local)).not.toContain('call-machine');
  expect([...code.values()].filter((file) => file.code?.includes('call-machine'))).toHaveLength(1);
});

test('a page whose build does not find daily-js is built all the same, and says so when it needs it', async () => {
  await writeFile(join(project, 'voice.js'), `export { createVoiceClient } from '@greenroom/client';`);
  await build({ root: project, configFile: false, logLevel: 'silent', build: { outDir: 'voice', lib: { entry: 'voice.js', formats: ['es'], fileName: 'voice' } } });
  const files = await readdir(join(project, 'voice'));
  const [name] = files.filter((each) => each.startsWith('daily-') && each.endsWith('.js'));
  const code = await node(`
    const { loadDaily } = await import('./voice/${name}').then((all) => ({ loadDaily: Object.values(all).find((one) => typeof one === 'function') }));
    console.log(JSON.stringify(await loadDaily({}).catch((error) => error.problem.code)));
  `);
  expect(code).toBe('daily_missing');
});

/** The text of a built module and of all that it imports at once. */
async function withImports(name: string): Promise<string> {
  const text = await readFile(join(dist, name), 'utf8');
  const imported = [...text.matchAll(/(?:from|import)\s*["']\.\/([^"']+)["']/g)].map(([, other]) => other as string);
  return text + (await Promise.all(imported.map(withImports))).join('');
}

test('a page that uses one small thing pays for no more: it can be shaken', async () => {
  await writeFile(join(project, 'small.js'), `import { activityOf } from '@greenroom/client'; console.log(activityOf(0.2));`);
  await build({
    root: project,
    configFile: false,
    logLevel: 'error',
    build: { outDir: 'small', lib: { entry: 'small.js', formats: ['es'], fileName: 'small' }, minify: true },
  });
  const text = await readFile(join(project, 'small', 'small.js'), 'utf8');
  expect(text).toContain('speaking');
  expect(text.length).toBeLessThan(500);
});

test('no address of anybody stands in what a page loads, and the core knows nothing of React', async () => {
  const files = (await readdir(dist)).filter((name) => name.endsWith('.js') && name !== 'testing.js');
  expect(files).toEqual(expect.arrayContaining(['index.js', 'react.js', 'vapi.js']));
  for (const name of files) {
    const text = await readFile(join(dist, name), 'utf8');
    expect(text.match(/\b(?:https?|wss?):\/\/[^\s"'`]*/g) ?? [], name).toEqual([]);
    expect(/from\s*["']react/.test(text), name).toBe(name.startsWith('react') || name.startsWith('session-'));
  }
});
