// The sources: how they are doing, their switches, and what the server refuses.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launchBrowser, openPage, seriousFindings, startServer } from './harness.mjs';

const NO_INTERFACE = 'nothing0';

describe('sources', () => {
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

  const card = (page, name) => page.getByRole('listitem', { name });
  const dialog = (page) => page.getByRole('dialog');

  async function openSources(options) {
    const opened = await openPage(browser, server.address, options);
    await opened.page.goto('/sources');
    await opened.page.getByRole('switch').first().waitFor();
    return opened;
  }

  /** Confirms the open question and returns the server's answer to it. */
  async function confirm(page, name) {
    const [response] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === 'PATCH'),
      dialog(page).getByRole('button', { name }).click(),
    ]);
    await dialog(page).waitFor({ state: 'detached' });
    return { status: response.status(), body: await response.json() };
  }

  test('all sources are listed with their state, and the navigation leads to them', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    await page.goto('/');
    await page.getByRole('link', { name: 'Sources' }).click();
    await page.getByRole('heading', { name: 'Sources', level: 1 }).waitFor();
    await page.getByRole('switch').first().waitFor();
    const names = await page.locator('.source-card h2').allInnerTexts();
    assert.deepEqual(names, [
      'Packet capture',
      'Kafka, external senders',
      'Kafka, internal senders',
    ]);
    for (const name of names) {
      assert.equal(await page.getByRole('switch', { name }).getAttribute('aria-checked'), 'false');
      const text = await card(page, name).innerText();
      for (const part of ['stopped', 'Stopped since', 'Frames', 'Packets', 'Flows', 'Verdicts']) {
        assert.ok(text.includes(part), `${name} has no ${part}: ${text}`);
      }
      assert.ok(text.includes('Dropped by the kernel') && text.includes('Dropped by our queue'));
    }
    assert.deepEqual(incidents, []);
    await close();
  });

  test('an interface that is not there is refused in the words of the server', async () => {
    const { page, incidents, close } = await openSources();
    const capture = card(page, 'Packet capture');
    await capture.getByLabel('Interface', { exact: true }).fill(NO_INTERFACE);
    await page.getByRole('switch', { name: 'Packet capture' }).click();
    await dialog(page).getByText(`the interface ${NO_INTERFACE}`).waitFor();
    const { status, body } = await confirm(page, 'Switch on');
    assert.equal(status, 400);
    assert.match(body.detail, new RegExp(`no interface '${NO_INTERFACE}'`));
    const form = capture.getByRole('form');
    await form.getByRole('alert').getByText(body.detail).waitFor();
    await form.getByRole('alert').getByText('It was not switched on').waitFor();
    const field = form.getByLabel('Interface', { exact: true });
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    assert.equal(await field.inputValue(), NO_INTERFACE, 'what was typed is gone');
    await capture.getByText('failed', { exact: true }).waitFor();
    const toggle = page.getByRole('switch', { name: 'Packet capture' });
    assert.equal(await toggle.getAttribute('aria-checked'), 'false');
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a value outside its bounds is refused, and one inside is kept', async () => {
    const { page, incidents, close } = await openSources();
    const form = card(page, 'Packet capture').getByRole('form');
    const save = form.getByRole('button', { name: 'Save settings' });
    assert.equal(await save.isDisabled(), true, 'there is nothing to save');
    const field = form.getByLabel('Snapshot length');
    await field.fill('3');
    await save.click();
    await form.getByRole('alert').getByText('config_params.snaplen is 3').waitFor();
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await field.fill('96');
    await form.getByLabel('Filter').fill('tcp');
    await field.press('Enter');
    await page.getByText('The settings are saved.').waitFor();
    assert.equal(await save.isDisabled(), true, 'there is nothing left to save');
    assert.equal(await form.getByRole('alert').count(), 0);
    await page.reload();
    await form.waitFor();
    assert.equal(await field.inputValue(), '96');
    assert.equal(await form.getByLabel('Filter').inputValue(), 'tcp');
    assert.deepEqual(incidents, []);
    await close();
  });

  test('Kafka says why it cannot be switched on', async () => {
    const { page, incidents, close } = await openSources();
    for (const name of ['Kafka, external senders', 'Kafka, internal senders']) {
      await page.getByRole('switch', { name }).click();
      await dialog(page).getByText('rows from the topic').waitFor();
      const { status, body } = await confirm(page, 'Switch on');
      assert.equal(status, 409);
      await card(page, name).getByRole('alert').getByText(body.detail).waitFor();
    }
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a switch asks, and the keyboard is enough to answer', async () => {
    const { page, incidents, close } = await openSources();
    let changes = 0;
    page.on('request', (request) => {
      if (request.method() === 'PATCH') changes += 1;
    });
    const focused = () =>
      page.evaluate(() => ({
        role: document.activeElement?.getAttribute('role') ?? '',
        text: document.activeElement?.textContent ?? '',
      }));
    for (let presses = 0; (await focused()).role !== 'switch'; presses += 1) {
      assert.ok(presses < 20, 'no switch was reached by Tab');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Space');
    await dialog(page).waitFor();
    assert.equal((await focused()).text, 'Cancel', 'Enter alone must change nothing');
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await focused()).role, 'switch', 'the switch has not got the focus back');
    await page.keyboard.press('Enter');
    await dialog(page).waitFor();
    await page.keyboard.press('Enter');
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal(changes, 0, 'something was changed without a yes');

    await card(page, 'Packet capture').getByLabel('Interface', { exact: true }).fill(NO_INTERFACE);
    await page.getByRole('switch', { name: 'Packet capture' }).focus();
    await page.keyboard.press('Space');
    await dialog(page).waitFor();
    await page.keyboard.press('Tab');
    assert.equal((await focused()).text, 'Switch on');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    assert.equal(changes, 1);
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a source that is on is switched off only after a question', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    // What a capture needs is not on every machine: its answers are written here.
    const list = await (await page.request.get('/api/v1/config/sources')).json();
    let isEnabled = true;
    const sent = [];
    const answer = () => {
      const [capture, ...others] = list;
      const state = {
        ...capture.state,
        status: isEnabled ? 'running' : 'stopped',
        message: null,
        frames: 12_345,
        packets: 12_300,
        dropped_queue: 45,
      };
      return [{ ...capture, is_enabled: isEnabled, state }, ...others];
    };
    await page.route('**/api/v1/config/sources', (route) => route.fulfill({ json: answer() }));
    await page.route('**/api/v1/config/sources/packet_capture', async (route) => {
      sent.push(route.request().postDataJSON());
      isEnabled = sent.at(-1).is_enabled;
      await route.fulfill({ json: answer()[0] });
    });
    await page.goto('/sources');
    const capture = card(page, 'Packet capture');
    await capture.getByText('running', { exact: true }).waitFor();
    await capture.getByText('12,345').waitFor();

    await capture.getByLabel('Promiscuous mode').check();
    await capture.getByRole('button', { name: 'Apply settings' }).click();
    await dialog(page).getByText('Then it starts again').waitFor();
    await confirm(page, 'Apply and start again');
    await capture.getByText('Started again with the new settings.').waitFor();

    await page.getByRole('switch', { name: 'Packet capture' }).click();
    await dialog(page).getByText('Capturing stops.').waitFor();
    await confirm(page, 'Switch off');
    await capture.getByText('Switched off.').waitFor();
    await capture.getByText('stopped', { exact: true }).waitFor();
    assert.deepEqual(sent, [
      { is_enabled: true, config_params: { promiscuous: true } },
      { is_enabled: false },
    ]);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    assert.deepEqual(incidents, []);
    await close();
  });

  test('a server that fails or answers in another shape is called so', async () => {
    const { page, incidents, close } = await openPage(browser, server.address);
    await page.route('**/api/v1/config/sources', (route) => route.fulfill({ json: [{}] }));
    await page.goto('/sources');
    await page.locator('.error-detail', { hasText: "the server's answer has no" }).waitFor();
    await page.unroute('**/api/v1/config/sources');
    const detail = 'the disk is full & <b>nobody</b> noticed';
    await page.route('**/api/v1/config/sources', (route) =>
      route.fulfill({ status: 507, json: { detail } }),
    );
    await page.goto('/sources');
    await page.locator('.error-detail', { hasText: detail }).waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    assert.deepEqual(incidents, []);
    await close();
  });

  for (const scheme of ['light', 'dark']) {
    test(`axe finds nothing serious in the ${scheme} scheme, with a refusal and a question`, async () => {
      const { page, incidents, close } = await openSources({ scheme });
      await page.getByRole('switch', { name: 'Kafka, external senders' }).click();
      await confirm(page, 'Switch on');
      const capture = card(page, 'Packet capture');
      await capture.getByLabel('Interface', { exact: true }).fill(NO_INTERFACE);
      await page.getByRole('switch', { name: 'Packet capture' }).click();
      await confirm(page, 'Switch on');
      await capture.getByRole('alert').waitFor();
      const before = [...incidents];
      const findings = await seriousFindings(page);
      await page.getByRole('switch', { name: 'Packet capture' }).click();
      await dialog(page).waitFor();
      findings.push(...(await seriousFindings(page)));
      // What axe itself does to the page is not the dashboard's doing.
      incidents.splice(0, incidents.length, ...before);
      assert.deepEqual(findings, []);
      assert.deepEqual(incidents, []);
      await close();
    });
  }

  test('the page does not scroll sideways on a narrow screen', async () => {
    const { page, incidents, close } = await openSources({ width: 360 });
    const excess = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    assert.ok(excess <= 0, `${excess} pixels too wide`);
    assert.deepEqual(incidents, []);
    await close();
  });
});
