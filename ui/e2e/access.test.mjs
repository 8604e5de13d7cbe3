// Keyboard, narrow screens, colour schemes and assistive technology, on every page.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  demoCsv,
  launchBrowser,
  openPage,
  seriousFindings,
  startServer,
  uploadAndWait,
} from './harness.mjs';

describe('access', () => {
  let server;
  let browser;
  const paths = [
    '/',
    '/upload',
    '/batches',
    '/verdicts',
    '/models',
    '/models/compare',
    '/labels',
    '/monitoring',
    '/nowhere',
  ];

  before(async () => {
    server = await startServer();
    browser = await launchBrowser();
    const { page, close } = await openPage(browser, server.address);
    paths.push(await uploadAndWait(page, 'generated.csv', demoCsv({ rows: 300, seed: 7 })));
    await page.goto('/verdicts?threats=1');
    paths.push(await page.locator('.verdict-table .row-link').first().getAttribute('href'));
    await page.goto('/models');
    paths.push(
      await page.getByRole('table').first().getByRole('link').first().getAttribute('href'),
    );
    await close();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test('from the overview to a verdict by keyboard alone', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    await page.goto('/');
    await page.locator('.verdict-table .row-link').first().waitFor();
    const focused = () =>
      page.evaluate(() => ({
        text: document.activeElement?.textContent ?? '',
        isRow: document.activeElement?.classList.contains('row-link') ?? false,
        isMain: document.activeElement?.id === 'main',
      }));
    await page.keyboard.press('Tab');
    assert.equal((await focused()).text, 'Skip to the content');
    await page.keyboard.press('Enter');
    for (let presses = 0; !(await focused()).isRow; presses += 1) {
      assert.ok(presses < 40, 'no row was reached by Tab');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.waitForURL('**/verdicts/*');
    await page.locator('.decision-sentence').waitFor();
    assert.equal((await focused()).isMain, true, 'the new page has not got the focus');
    assert.deepEqual(incidents, []);
    await close();
  });

  test('no page scrolls sideways on a narrow screen', async () => {
    const { page, incidents, close } = await openPage(browser, server.address, { width: 390 });
    for (const path of paths) {
      await settle(page, path);
      const excess = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      assert.ok(excess <= 0, `${path} is ${excess} pixels too wide`);
    }
    assert.deepEqual(incidents, []);
    await close();
  });

  for (const scheme of ['light', 'dark']) {
    test(`axe finds nothing serious in the ${scheme} scheme, and the policy holds`, async () => {
      const { page, incidents, close } = await openPage(browser, server.address, { scheme });
      const findings = [];
      for (const path of paths) {
        await settle(page, path);
        const before = [...incidents];
        findings.push(...(await seriousFindings(page)).map((line) => `${path} ${line}`));
        // What axe itself does to the page is not the dashboard's doing.
        incidents.splice(0, incidents.length, ...before);
      }
      assert.deepEqual(findings, []);
      assert.deepEqual(incidents, []);
      await close();
    });
  }
});

async function settle(page, path) {
  await page.goto(path);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector('.loading') === null);
}
