// The status page in a real browser, step by step with the test that started this: it says how far it has come, and waits for the line that
// tells it to go on. At last it prints what it saw, as JSON.
// Arguments: the page's address, the token of the daemon, the browser.
'use strict';
const readline = require('node:readline');
const { launch } = require('./browser.js');

const [address, token, executablePath] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const seen = { faults: [], foreign: [] };

const row = (page, name) => page.locator('.row', { has: page.locator('.name', { hasText: new RegExp(`^${name}$`) }) });
const state = (page, name, expected) => row(page, name).locator('.chip', { hasText: new RegExp(`^${expected}$`) }).waitFor();

async function step(name) {
  console.log(name);
  await lines.next();
}

(async () => {
  const { browser, page } = await launch(executablePath, seen, address);
  await page.goto(address);
  await state(page, 'ws1', 'up');
  await state(page, 'ws2', 'up');
  await page.locator('#chart-connections .value', { hasText: /^3 / }).waitFor();
  await page.locator('#ages .bars[aria-label*=": "]').waitFor();
  await step('up');

  await state(page, 'ws2', 'down');
  seen.why = await row(page, 'ws2').locator('.probe').innerText();
  seen.event = await page.locator('.events li', { hasText: 'ws2' }).first().innerText();

  // It is the last backend of its pool that takes connections: both ways out say so before anything is done.
  await row(page, 'ws1').getByRole('button', { name: 'Maintenance chat/ws1' }).click();
  seen.warnings = [await page.locator('#maint-warning').innerText()];
  await page.locator('#maint-dialog .cancel').click();
  await state(page, 'ws1', 'up');
  seen.alive = [await page.locator('.pool.dead').count(), await page.locator('#dead').isVisible(), await page.title()];

  // Draining takes the token: a wrong one is asked for again.
  await row(page, 'ws1').getByRole('button', { name: 'Drain chat/ws1' }).click();
  seen.warnings.push(await page.locator('#drain-warning').innerText());
  await page.locator('#drain-dialog input[value=rate]').check();
  await page.locator('#drain-rate').fill('1000');
  await page.locator('#drain-dialog button[value=ok]').click();
  await page.locator('#token').fill('wrong');
  await page.locator('#token').press('Enter');
  await page.locator('#token-why', { hasText: 'not the token' }).waitFor();
  await page.locator('#token').fill(token);
  await page.locator('#token').press('Enter');
  await state(page, 'ws1', 'draining');
  await row(page, 'ws1').locator('.share .number', { hasText: /^0$/ }).waitFor();
  seen.reasons = await page.locator('#reasons').innerText();
  await page.locator('.pool.dead header .chip', { hasText: 'no backend takes connections' }).waitFor();
  seen.dead = [await page.locator('#dead').innerText(), await page.title(), await page.locator('#dead').getAttribute('href')];
  seen.host = await page.locator('#host').innerText();
  seen.since = await row(page, 'ws1').locator('.since').innerText();
  await step('drained');

  await row(page, 'ws1').getByRole('button', { name: 'Ready chat/ws1' }).click();
  await state(page, 'ws1', 'up');
  await page.locator('#dead').waitFor({ state: 'hidden' });

  await page.keyboard.press('/');
  await page.keyboard.type('ws2');
  await row(page, 'ws1').waitFor({ state: 'detached' });
  seen.found = await page.locator('.rows .name').allInnerTexts();
  await page.locator('#search').fill('');

  seen.grounds = [];
  for (const theme of ['light', 'dark']) {
    await page.locator('#theme').selectOption(theme);
    seen.grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }

  await page.setViewportSize({ width: 360, height: 740 });
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await step('ready');

  await page.locator('#trouble', { hasText: 'No answer since' }).waitFor();
  await browser.close();
  seen.faults = seen.faults.filter(f => !f.includes('net::ERR_') && !f.includes('401'));
  console.log(JSON.stringify(seen));
  process.exit(0);
})().catch(fault => {
  console.error(fault, seen);
  process.exit(1);
});
