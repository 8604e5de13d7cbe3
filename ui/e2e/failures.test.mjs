// A server that fails or is gone: every page says so in the server's words.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchBrowser, openPage, startServer } from './harness.mjs';

const PATHS = ['/', '/batches', '/batches/x', '/verdicts', '/verdicts/x', '/models', '/models/x'];

describe('failures', () => {
  let server;
  let browser;

  before(async () => {
    server = await startServer();
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('the detail of an error is shown on every page', async () => {
    const detail = 'the disk is full & <b>nobody</b> noticed';
    await check((route) => route.fulfill({ status: 507, json: { detail } }), detail);
  });

  test('a server that is gone is called so on every page', async () => {
    await check((route) => route.abort(), 'The server does not answer.');
  });

  test('an answer of the wrong shape is called so on every page', async () => {
    await check((route) => route.fulfill({ json: [] }), "the server's answer has no object");
  });

  test('what does not exist is called so, and the way back is there', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    const unknown = '00000000-0000-4000-8000-000000000000';
    for (const path of [`/batches/${unknown}`, `/verdicts/${unknown}`, `/models/${unknown}`]) {
      await page.goto(path);
      await page.locator('main .error-box').first().waitFor();
      assert.notEqual((await page.locator('.error-detail').first().innerText()).trim(), '');
    }
    await page.goto('/nowhere');
    await page.getByRole('link', { name: 'Go to the overview' }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    assert.deepEqual(incidents, []);
    await close();
  });

  async function check(answer, expected) {
    const { page, incidents, close } = await openPage(browser, server.address);
    await page.route('**/api/v1/**', answer);
    for (const path of PATHS) {
      await page.goto(path);
      await page.locator('main .error-detail', { hasText: expected }).first().waitFor();
    }
    assert.deepEqual(incidents, []);
    await close();
  }
});
