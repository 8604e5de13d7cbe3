// Names, labels and cells chosen by an attacker are text, on every page that shows them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { demoCsv, launchBrowser, openPage, startServer, uploadAndWait } from './harness.mjs';

const FILE_NAME = '<img src=x onerror=alert(1)>.csv';
const COLUMN = '<img src=x onerror=alert(2)>';
const CELL = '<svg onload=alert(3)>';
const LABEL = '<script>alert(4)</script>';

describe('hostile input', () => {
  let server;
  let browser;
  let tab;
  let batch;

  before(async () => {
    server = await startServer();
    browser = await launchBrowser();
    tab = await openPage(browser, server.address);
    batch = await uploadAndWait(tab.page, FILE_NAME, hostileCsv());
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('the report shows the names as text', async () => {
    const { page } = tab;
    assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), FILE_NAME);
    await page.getByText(COLUMN, { exact: true }).waitFor();
    await page.getByText(CELL).first().waitFor();
  });

  test('the lists and the verdicts show them as text', async () => {
    const { page } = tab;
    await page.goto('/batches');
    await page.getByRole('link', { name: FILE_NAME }).waitFor();
    await page.goto(
      `/verdicts?batch=${batch.split('/').at(-1)}&class=${encodeURIComponent(LABEL)}`,
    );
    await page.getByText('No verdict matches these filters').waitFor();
    await page.goto('/verdicts');
    await page.locator('.verdict-table .row-link').last().waitFor();
    await page.locator('.verdict-table .row-link').first().click();
    await page.locator('.decision-sentence').waitFor();
    await page.goto(`/verdicts/${encodeURIComponent(CELL)}`);
    await page.getByText('This verdict cannot be explained').waitFor();
    await page.goto(`/${encodeURIComponent(FILE_NAME)}`);
    await page.getByRole('heading', { name: 'Page not found' }).waitFor();
  });

  test('no element was made of them, and nothing ran', async () => {
    const { page } = tab;
    for (const path of ['/', '/batches', batch, '/verdicts']) {
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForFunction(() => document.querySelector('.loading') === null);
      const made = await page.locator('main img, main script, main svg[onload]').count();
      assert.equal(made, 0, `${path} has elements from data`);
    }
    assert.deepEqual(tab.incidents, []);
  });
});

/** Generated records with a hostile column name, category, number and label. */
function hostileCsv() {
  const [header, ...lines] = demoCsv({ rows: 40, seed: 7 }).trim().split('\n');
  const names = header.split(',');
  const rows = lines.map((line) => line.split(','));
  rows[0][names.indexOf('service')] = CELL;
  rows[1][names.indexOf('src_bytes')] = CELL;
  rows[2][names.indexOf('label')] = LABEL;
  return [
    [...names, COLUMN].join(','),
    ...rows.map((row) => [...row, `"=cmd|' /C calc'!A0"`].join(',')),
  ].join('\n');
}
