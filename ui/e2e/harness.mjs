// A real server and a real browser for each test file.
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const UI = fileURLToPath(new URL('..', import.meta.url));
const BINARY = resolve(process.env.TRIPLINE_BIN ?? join(UI, '../target/debug/tripline'));
const MODELS = resolve(process.env.TRIPLINE_MODELS ?? join(UI, '../models'));
const AXE = readFileSync(join(UI, 'node_modules/axe-core/axe.min.js'), 'utf8');
const START_MILLIS = 60_000;

/** Starts `tripline serve` on a free port with an empty data folder. */
export async function startServer() {
  const data = mkdtempSync(join(tmpdir(), 'tripline-e2e-'));
  const child = spawn(
    BINARY,
    ['serve', '--listen', '127.0.0.1:0', '--data-dir', data, '--models-dir', MODELS],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = [];
  child.stderr.on('data', (chunk) => log.push(String(chunk)));
  const exited = new Promise((done) => {
    child.once('exit', done);
  });
  const address = await new Promise((done, fail) => {
    const late = setTimeout(() => {
      fail(new Error(`no address from the server within ${START_MILLIS} ms\n${log.join('')}`));
    }, START_MILLIS);
    child.once('error', fail);
    child.once('exit', (code) => {
      fail(new Error(`the server ended with ${code}\n${log.join('')}`));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on (http:\/\/\S+)/.exec(line);
      if (found === null) return;
      clearTimeout(late);
      done(found[1].replace(/\/$/, ''));
    });
  });
  return {
    address,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** Generated records with a header and a label column, as text. */
export function demoCsv({ rows, seed }) {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-csv-'));
  try {
    const file = join(folder, 'demo.csv');
    execFileSync(BINARY, ['demo', '--write-csv', file, '--rows', `${rows}`, '--seed', `${seed}`]);
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Generated traffic with a scan in it, as the bytes of a capture. */
export function demoCapture({ seed }) {
  const folder = mkdtempSync(join(tmpdir(), 'tripline-pcap-'));
  try {
    const file = join(folder, 'demo.pcap');
    const plan = ['--seed', `${seed}`, '--seconds', '20', '--attack', 'portscan@1+1x0.2'];
    execFileSync(BINARY, ['generate', '-o', file, ...plan], { stdio: 'ignore' });
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function launchBrowser() {
  const asRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? chromiumOnPath(),
    args: asRoot ? ['--no-sandbox'] : [],
  });
}

function chromiumOnPath() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not here; the next folder may have it.
      }
    }
  }
  throw new Error('no Chromium found: install Debian package chromium or set CHROMIUM');
}

/**
 * A page that writes down everything that must not happen: violations of the
 * content security policy, errors on the console or of scripts, and dialogs.
 */
export async function openPage(browser, address, { width = 1280, height = 900, scheme } = {}) {
  const context = await browser.newContext({
    baseURL: address,
    viewport: { width, height },
    colorScheme: scheme ?? 'light',
  });
  const page = await context.newPage();
  const incidents = [];
  await page.exposeFunction('reportViolation', (text) => {
    incidents.push(`policy: ${text}`);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  page.on('console', (message) => {
    if (message.type() !== 'error') return;
    // A refusal by the API is an answer; the page has to show it, not to hide it.
    const isRefusal = message.text().startsWith('Failed to load resource');
    if (isRefusal && message.location().url.includes('/api/v1/')) return;
    incidents.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => incidents.push(`script: ${error.message}`));
  page.on('dialog', (dialog) => {
    incidents.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, incidents, close: () => context.close() };
}

/** Sends text or bytes as a file through the upload page. */
export async function upload(page, name, content) {
  await page.goto('/upload');
  await page
    .locator('input[type=file]')
    .setInputFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) });
}

/** Uploads and waits for the report; returns the address of its page. */
export async function uploadAndWait(page, name, text) {
  await upload(page, name, text);
  await page.waitForURL('**/batches/*', { timeout: 60_000 });
  await page.getByText('Rows scored').first().waitFor();
  await page.locator('.badge.tone-good', { hasText: 'complete' }).waitFor({ timeout: 60_000 });
  return new URL(page.url()).pathname;
}

/** Serious and critical findings of axe, one line each. */
export async function seriousFindings(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
  });
}
