// The life of a model: activated and taken back with a question first, compared, watched, labelled.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { demoCsv, launchBrowser, openPage, startServer, uploadAndWait } from './harness.mjs';

const CANDIDATE = 'nsl-kdd-detector-origin-v1';
const ACTIVE = 'nsl-kdd-detector-ten-v1';

describe('models', () => {
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

  const models = async () => {
    const answer = await fetch(`${server.address}/api/v1/models?include_inactive=true`);
    return (await answer.json()).models;
  };
  const named = async (name) => (await models()).find((model) => model.name === name);

  test('a candidate is activated after a question and rolled back', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    await page.goto(`/models/${(await named(CANDIDATE)).id}`);
    await page.getByRole('button', { name: 'Activate' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    assert.equal((await named(CANDIDATE)).stage, 'candidate', 'Cancel has changed something');

    await page.getByRole('button', { name: 'Activate' }).click();
    await dialog.getByLabel('Your name').fill('ana');
    await dialog.getByLabel('Reason').fill('a try');
    await dialog.getByRole('button', { name: 'Activate' }).click();
    await page.getByText('Activate: done.').waitFor();
    assert.equal((await named(CANDIDATE)).stage, 'active');
    assert.equal((await named(ACTIVE)).stage, 'retired');
    const history = page.getByRole('region', { name: 'History' });
    await history.getByRole('cell', { name: 'a try' }).waitFor();
    await history.getByRole('cell', { name: 'ana' }).first().waitFor();

    await page.getByRole('button', { name: 'Roll back' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
    await page.getByText('Roll back: done.').waitFor();
    assert.equal((await named(ACTIVE)).stage, 'active');
    assert.equal((await named(CANDIDATE)).stage, 'retired');
    assert.deepEqual(incidents, []);
    await close();
  });

  test('two models stand side by side', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    const [a, b] = [await named('nsl-kdd-detector-full'), await named('nsl-kdd-detector-live')];
    await page.goto(`/models/compare?a=${a.id}&b=${b.id}`);
    for (const title of ['Measured', 'Agreement', 'Curves', 'Where they disagree']) {
      await page.getByRole('heading', { name: title }).waitFor();
    }
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a false alarm is said on the verdict and stands among the labels', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    await uploadAndWait(page, 'generated.csv', demoCsv({ rows: 900, seed: 7 }));
    await page.goto('/verdicts?threats=1');
    await page.locator('.verdict-table .row-link').first().click();
    await page.getByRole('button', { name: 'False alarm' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Your name').fill('ana');
    await dialog.getByLabel('Note').fill('our own scanner');
    await dialog.getByRole('button', { name: 'False alarm' }).click();
    await page.getByText('our own scanner').waitFor();
    await page.goto('/labels');
    await page.getByText('our own scanner').waitFor();
    await page.getByText('ana').first().waitFor();
    assert.deepEqual(incidents, []);
    await close();
  });

  test('traffic that was judged is watched, and a candidate beside the model that judges', async () => {
    const ask = async (path, body) => {
      const answer = await fetch(`${server.address}/api/v1/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      assert.equal(answer.status, 200, await answer.clone().text());
      return answer.json();
    };
    const candidate = await named(CANDIDATE);
    await ask(`models/${candidate.id}/stage`, { stage: 'shadow' });
    const { page, incidents, close } = await openPage(browser, server.address);
    const csv = columnsOf(demoCsv({ rows: 300, seed: 8 }), candidate.expected_features);
    await uploadAndWait(page, 'ten.csv', csv);
    const list = await fetch(`${server.address}/api/v1/verdicts?limit=20`);
    const labels = (await list.json()).verdicts.map(({ id }) => ({
      verdict_id: id,
      is_attack: true,
    }));
    await ask('labels', { author: 'ana', labels });
    await page.goto('/monitoring');
    // It is read a few seconds after it was stored.
    const quality = page.getByRole('region', { name: 'Quality' }).first();
    await quality.getByRole('link', { name: ACTIVE }).waitFor({ timeout: 60_000 });
    const row = page.getByRole('row').filter({ hasText: CANDIDATE }).last();
    await row.getByText(/ to /).waitFor({ timeout: 60_000 });
    await row.getByRole('link', { name: `Compare with ${ACTIVE}` }).waitFor();
    await page.getByRole('heading', { name: 'Training anew' }).waitFor();
    assert.deepEqual(incidents, []);
    await close();
  });
});

/** The same rows with only these columns. */
function columnsOf(csv, names) {
  const [head, ...rows] = csv.trim().split('\n');
  const places = names.map((name) => head.split(',').indexOf(name));
  const pick = (row) => {
    const cells = row.split(',');
    return places.map((place) => cells[place]).join(',');
  };
  return [names.join(','), ...rows.map(pick), ''].join('\n');
}
