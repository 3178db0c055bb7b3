// The status page in a real browser: a rebalance of a pool with a full and an empty backend is started, seen, and stopped. Prints what it saw, as JSON.
// Arguments: the page's address, the token of the daemon, the browser.
'use strict';
const { launch } = require('./browser.js');

const [address, token, executablePath] = process.argv.slice(2);
const seen = { faults: [], foreign: [] };

(async () => {
  const { browser, page } = await launch(executablePath, seen, address);
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  await page.request.put(`${address}v1/backends/chat/ws2/weight`, { headers, data: { weight: 100 } });
  await page.goto(address);
  const button = page.getByRole('button', { name: 'Stop rebalance chat' });
  await page.getByRole('button', { name: 'Rebalance chat' }).click();
  await page.locator('#rebalance-rate').fill('1');
  await page.locator('#rebalance-dialog button[value=ok]').click();
  await page.locator('#token').fill(token);
  await page.locator('#token').press('Enter');

  await page.getByRole('button', { name: 'Stop rebalance chat' }).waitFor();
  seen.running = await page.locator('.pool .facts').innerText();
  seen.row = await page.locator('.row .shedding:not([hidden]) span').innerText();
  await button.click();
  await page.getByRole('button', { name: 'Rebalance chat', exact: true }).waitFor();
  seen.over = await page.locator('.pool .facts').innerText();
  seen.left = parseInt(await page.locator('.row .share .number').first().innerText(), 10);
  await browser.close();
  console.log(JSON.stringify(seen));
  process.exit(0);
})().catch(fault => {
  console.error(fault, seen);
  process.exit(1);
});
