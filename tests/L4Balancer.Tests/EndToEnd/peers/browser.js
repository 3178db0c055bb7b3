// Headless Chromium that notes what a page should not do.
'use strict';
const { chromium } = require('playwright-core');

// seen: gets faults (console and script errors) and foreign (requests to anybody but the address)
exports.launch = async (executablePath, seen, address) => {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(30000);
  page.on('console', message => ['error', 'warning'].includes(message.type()) && seen.faults.push(message.text()));
  page.on('pageerror', fault => seen.faults.push(String(fault.stack)));
  page.on('request', request => !request.url().startsWith(address) && !request.url().startsWith('data:') && seen.foreign.push(request.url()));
  return { browser, page };
};
