// Verdicts as they fall, and the stream of generated records that makes them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchBrowser, openPage, seriousFindings, startServer } from './harness.mjs';

describe('live', () => {
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

  async function openLive(options) {
    const opened = await openPage(browser, server.address, options);
    await opened.page.goto('/realtime');
    await opened.page.getByText('listening', { exact: true }).waitFor();
    return opened;
  }

  async function start(page, { records, seconds, kind }) {
    await page.getByLabel('Records', { exact: true }).fill(records);
    await page.getByLabel('Seconds between them').fill(seconds);
    if (kind !== undefined) await page.getByLabel('Kind of records').selectOption(kind);
    await page.getByRole('button', { name: 'Start test stream' }).click();
  }

  const rows = (page) => page.locator('.verdict-table tbody tr');

  test('a test stream says what it is, and its verdicts appear', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    await page.goto('/');
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByText('listening', { exact: true }).waitFor();
    await page.getByText('Nothing has fallen yet').waitFor();
    await page.getByText('no network has seen this traffic').waitFor();
    await start(page, { records: '8', seconds: '0.05' });
    await page.getByText('Started: 8 generated records, one every 0.05 s').waitFor();
    await page.getByText('8 generated records, 8 judged and stored').waitFor();
    await rows(page).nth(7).waitFor();
    assert.equal(await rows(page).count(), 8);
    assert.match(await rows(page).first().innerText(), /realtime/);
    assert.equal(await page.locator('.stat-value').first().innerText(), '8');
    await rows(page).first().getByRole('link').click();
    await page.waitForURL('**/verdicts/*');
    await page.getByRole('heading', { level: 1 }).waitFor();
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a stream shows how far it is, and can be stopped', async () => {
    const { page, incidents, close } = await openLive();
    await start(page, { records: '10000', seconds: '60', kind: 'threat_detection' });
    await page.getByText('of 10,000 generated records').waitFor();
    await page.getByText('connections, one every 60 s').waitFor();
    await page.getByRole('button', { name: 'Stop it' }).click();
    await page.getByText('Stopped: 1 stream').waitFor();
    await page.getByRole('progressbar').waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('button', { name: 'Stop it' }).count(), 0);
    assert.deepEqual(incidents, []);
    await close();
  });

  test('what the server refuses is shown in its words', async () => {
    const { page, incidents, close } = await openLive();
    await start(page, { records: 'many', seconds: '1' });
    const alert = page.getByRole('alert');
    await alert.getByText('count is "many", expected a whole number from 1 to 10000').waitFor();
    await start(page, { records: '5', seconds: '0' });
    await alert.getByText('interval is 0, expected seconds from 0.01 to 60').waitFor();
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a page that is paused stands still and goes on', async () => {
    const { page, incidents, close } = await openLive();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('paused', { exact: true }).waitFor();
    await start(page, { records: '3', seconds: '0.01' });
    await page.locator('.stat-value').first().filter({ hasText: /^3$/ }).waitFor();
    assert.equal(await rows(page).count(), 0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await rows(page).nth(2).waitFor();
    assert.deepEqual(incidents, []);
    await close();
  });

  for (const scheme of ['light', 'dark']) {
    test(`axe finds nothing serious in the ${scheme} scheme, and nothing is too wide`, async () => {
      const { page, incidents, close } = await openLive({ scheme, width: 360 });
      await start(page, { records: '4', seconds: '0.01' });
      await rows(page).nth(3).waitFor();
      const excess = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      assert.ok(excess <= 0, `${excess} pixels too wide`);
      const before = [...incidents];
      assert.deepEqual(await seriousFindings(page), []);
      assert.deepEqual(before, []);
      await close();
    });
  }
});
