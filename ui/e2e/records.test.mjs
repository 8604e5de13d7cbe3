// The way of a record: from an empty store through an upload to its reasons.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  demoCsv,
  launchBrowser,
  openPage,
  startServer,
  upload,
  uploadAndWait,
} from './harness.mjs';

describe('records', () => {
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

  test('an empty store says what to do next', async () => {
    const { page } = tab;
    await page.goto('/');
    await page.getByText('No verdicts yet').waitFor();
    await page.getByRole('link', { name: 'Upload a CSV file' }).click();
    await page.getByRole('heading', { name: 'Upload', level: 1 }).waitFor();
    await page.goto('/batches');
    await page.getByText('No files yet').waitFor();
    await page.goto('/verdicts');
    await page.getByText('No verdicts yet').waitFor();
  });

  test('a refused file is answered with the reason of the server', async () => {
    const { page } = tab;
    await check('notes.csv', 'colour,taste\nred,sweet\n');
    await check('empty.csv', '');
    await check('notes.txt', 'colour,taste\nred,sweet\n');

    async function check(name, text) {
      const answered = page.waitForResponse((response) => response.url().includes('/upload/csv'));
      await upload(page, name, text);
      const answer = await answered;
      if (answer.status() === 202) {
        // Accepted first, refused by the job.
        await page.getByText('The file could not be scored').waitFor();
        const detail = await page.locator('.error-detail').innerText();
        assert.notEqual(detail.trim(), '');
        return;
      }
      const { detail } = await answer.json();
      await page.getByText(`${name} was not accepted`).waitFor();
      assert.equal(await page.locator('.error-detail').innerText(), detail);
    }
  });

  test('a labelled file becomes a report with a confusion matrix', async () => {
    const { page } = tab;
    const csv = demoCsv({ rows: 500, seed: 7 });
    await uploadAndWait(page, 'generated.csv', csv);

    const stat = (name) =>
      page.locator('.stat', { hasText: name }).first().locator('.stat-value').innerText();
    assert.equal(await stat('Rows read'), '500');
    assert.equal(await stat('Rows scored'), '500');
    assert.equal(await stat('Rows rejected'), '0');
    assert.ok(Number((await stat('Threats')).replaceAll(',', '')) > 0);

    const matrix = page.locator('table.confusion', { hasText: 'Confusion matrix of the detector' });
    const counts = await matrix.locator('.cell-count').allInnerTexts();
    assert.equal(counts.length, 4);
    const total = counts.reduce((sum, count) => sum + Number(count.replaceAll(',', '')), 0);
    assert.equal(total, 500);
  });

  test('a threat is explained by bars that add up to its margin', async () => {
    const { page } = tab;
    await page.getByRole('link', { name: 'Threats of this file' }).click();
    await page.locator('.verdict-table .row-link').first().click();
    await page.waitForURL('**/verdicts/*');
    await page.locator('.decision-sentence').waitFor();
    assert.match(await page.locator('.decision-sentence').innerText(), /^Threat/);

    const drawing = page.locator('svg.waterfall[data-stage=detector]');
    await drawing.waitFor();
    const drawn = await drawing.evaluate((svg) => {
      const bars = [...svg.querySelectorAll('.waterfall-bar')];
      const marks = [...svg.querySelectorAll('.waterfall-end circle')];
      return {
        base: Number(svg.dataset.base),
        margin: Number(svg.dataset.margin),
        contributions: bars.map((bar) => Number(bar.dataset.contribution)),
        ends: bars.map((bar) => [Number(bar.dataset.from), Number(bar.dataset.to)]),
        edges: bars.map((bar) => {
          const left = Number(bar.getAttribute('x'));
          return [left, left + Number(bar.getAttribute('width'))];
        }),
        marks: marks.map((mark) => Number(mark.getAttribute('cx'))),
      };
    });
    const sum = drawn.contributions.reduce((total, item) => total + item, drawn.base);
    assert.ok(Math.abs(sum - drawn.margin) < 1e-6, `${sum} is not ${drawn.margin}`);
    let position = drawn.base;
    for (const [from, to] of drawn.ends) {
      assert.ok(Math.abs(from - position) < 1e-9, 'a bar does not start where the last one ended');
      position = to;
    }
    const [start, end] = drawn.marks;
    const touches = (edges, x) => edges.some((edge) => Math.abs(edge - x) <= 1);
    assert.ok(touches(drawn.edges[0], start), 'the first bar does not touch the base value');
    assert.ok(touches(drawn.edges.at(-1), end), 'the last bar does not touch the margin');
    assert.equal(await page.locator('.warning-note').count(), 0);
  });

  test('filters and paging show the whole batch once', async () => {
    const { page } = tab;
    await page.goto('/verdicts');
    await page.locator('.verdict-table').waitFor();
    for (const loaded of [100, 200, 300, 400]) {
      await page.getByText(`${loaded} verdicts loaded`).waitFor();
      await page.getByRole('button', { name: 'Load more' }).click();
    }
    await page.getByText('500 verdicts loaded').waitFor();
    const inDocument = await page.locator('.verdict-table tbody tr').count();
    assert.ok(inDocument < 100, `${inDocument} rows are in the document`);

    await page.getByLabel('Threats only').check();
    await page.waitForURL('**/verdicts?threats=1');
    await page.locator('.verdict-table tbody tr.is-threat').first().waitFor();
    assert.equal(await page.locator('.verdict-table .severity-normal').count(), 0);
  });

  test('the overview counts what is stored', async () => {
    const { page } = tab;
    await page.goto('/');
    await page.getByRole('heading', { name: 'Recent threats' }).waitFor();
    const total = page.locator('.stat', { hasText: 'Verdicts' }).locator('.stat-value');
    assert.equal(await total.innerText(), '500');
    await page.getByText('Show as a table').click();
    await page.getByRole('table').first().waitFor();
    await page.locator('.timeline-plot canvas').waitFor();
  });

  test('nothing was refused by the policy or failed in a script', () => {
    assert.deepEqual(tab.incidents, []);
  });
});
