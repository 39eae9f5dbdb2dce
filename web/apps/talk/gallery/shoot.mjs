// Takes a picture of every state, in light and dark, on a desk and on a phone: `npm run gallery`.
//   node gallery/shoot.mjs [part of a state's name]   → dist/shots/<state>.<theme>.<size>.png
import { createServer } from 'node:http';
import { mkdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { chromium } from 'playwright-core';

const built = new URL('../dist/gallery/', import.meta.url);
const shots = new URL('../dist/shots/', import.meta.url);
const wanted = process.argv[2] ?? '';
const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 }, small: { width: 360, height: 640 } };
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const server = createServer(async (request, response) => {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname;
  try {
    const file = new URL(`.${path === '/' ? '/index.html' : path}`, built);
    response.setHeader('content-type', TYPES[extname(file.pathname)] ?? 'application/octet-stream');
    response.end(await readFile(file));
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}/`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const complaints = [];
try {
  await mkdir(shots, { recursive: true });
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 1 });
      const page = await context.newPage();
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      await page.goto(address);
      for (const state of await page.evaluate('gallery')) {
        if (!state.includes(wanted)) continue;
        await page.goto('about:blank');
        await page.goto(`${address}#${state}`);
        await page.waitForSelector('html[data-ready=true]');
        await page.evaluate(settled);
        await page.screenshot({ path: new URL(`${state}.${colorScheme}.${size}.png`, shots).pathname });
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  server.close();
}
if (complaints.length > 0) throw new Error(`The page complained:\n${complaints.join('\n')}`);
console.log(`Pictures of every state: ${shots.pathname}`);

/** Runs in the page: resolves when what moves once (a card that is dealt or turns) has moved. */
async function settled() {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const finite = document.getAnimations().filter((each) => each.effect.getComputedTiming().iterations !== Infinity);
  await Promise.allSettled(finite.map((each) => each.finished));
}
