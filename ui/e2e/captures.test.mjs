// The way of a capture: from the upload to the packets behind a verdict.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  demoCapture,
  launchBrowser,
  openPage,
  seriousFindings,
  startServer,
  upload,
  uploadAndWait,
} from './harness.mjs';

describe('captures', () => {
  let server;
  let browser;
  let tab;

  before(async () => {
    server = await startServer();
    browser = await launchBrowser();
    tab = await openPage(browser, server.address);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('what is no capture is refused in the words of the server', async () => {
    const { page } = tab;
    await upload(page, 'notes.pcap', 'these are no packets at all, whatever the name says');
    await page.getByText(/could not be scored|was not accepted/).waitFor();
    assert.match(await page.locator('.error-detail').innerText(), /no capture/);
  });

  test('a capture becomes a batch with its frames, and a verdict with its packets', async () => {
    const { page } = tab;
    await uploadAndWait(page, 'demo.pcap', demoCapture({ seed: 3 }));
    const capture = page.getByRole('region', { name: 'Capture' });
    await capture.waitFor();
    const frames = await capture
      .locator('div', { hasText: /^Frames/ })
      .locator('dd')
      .innerText();
    assert.ok(Number(frames.replaceAll(',', '')) > 100);

    await page.getByRole('link', { name: 'Threats of this file' }).click();
    const row = page.locator('.verdict-table tbody tr.is-threat').first();
    await row.waitFor();
    assert.match(await row.locator('.flow-end').last().innerText(), /→ .* (tcp|udp|icmp)/);
    await row.locator('a.row-link').click();

    await page.getByRole('region', { name: 'Flow' }).waitFor();
    await page.getByText('Community ID').waitFor();
    assert.ok((await page.getByRole('region', { name: 'Opinions' }).getByRole('row').count()) > 1);
    const drawn = await page.locator('.packet-timeline .packet').count();
    assert.ok(drawn > 0);
    await page.getByText('As a table').first().click();
    const packets = page.getByRole('region', { name: 'Packets', exact: true }).last();
    assert.equal(await packets.locator('tbody tr').count(), drawn);
    await page.getByRole('heading', { name: 'All features' }).waitFor();
    assert.deepEqual(tab.incidents, []);
  });

  for (const scheme of ['light', 'dark']) {
    test(`axe finds nothing serious in the ${scheme} scheme`, async () => {
      const opened = await openPage(browser, server.address, { scheme });
      const { page } = opened;
      await page.goto('/verdicts?threats=1');
      await page.locator('.verdict-table a.row-link').first().click();
      await page.locator('.packet-timeline').waitFor();
      assert.deepEqual(await seriousFindings(page), []);
      await opened.close();
    });
  }
});
