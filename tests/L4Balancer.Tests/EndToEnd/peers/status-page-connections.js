// The status page in a real browser: the connections of a backend are listed twice. Prints what it saw, as JSON.
// Arguments: the page's address, POOL/NAME of the backend, the browser.
'use strict';
const readline = require('node:readline');
const { launch } = require('./browser.js');

const [address, backend, executablePath] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const seen = { faults: [], foreign: [] };

(async () => {
  const { browser, page } = await launch(executablePath, seen, address);
  await page.goto(address);
  await page.getByRole('button', { name: `1 connections of ${backend}`, exact: true }).click();
  const rows = page.locator('#connections-table tbody tr');
  await rows.first().waitFor();
  seen.title = await page.locator('#connections-title').innerText();
  seen.note = await page.locator('#connections-note').innerText();
  seen.heads = await page.locator('#connections-table th').allTextContents();
  seen.row = await rows.first().locator('td').allTextContents();
  seen.images = await page.locator('#connections-table img').count();
  await page.setViewportSize({ width: 360, height: 740 });
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  console.log('listed');
  await lines.next();

  // The client has gone.
  await page.locator('#connections-again').click();
  await page.locator('#connections-note', { hasText: /^0 open$/ }).waitFor();
  seen.left = await rows.count();
  await page.locator('#connections-dialog .cancel').click();
  await page.locator('#connections-dialog').waitFor({ state: 'hidden' });
  await browser.close();
  console.log(JSON.stringify(seen));
  process.exit(0);
})().catch(fault => {
  console.error(fault, seen);
  process.exit(1);
});
