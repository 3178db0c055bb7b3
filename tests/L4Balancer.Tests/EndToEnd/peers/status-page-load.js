// The status page with many backends: all of them shown, scrolled through, and looked at for a while. Prints how it went, as JSON.
// Arguments: the page's address, how many backends there are, the browser.
'use strict';
const { launch } = require('./browser.js');

const [address, backends, executablePath] = process.argv.slice(2);
const seen = { faults: [], foreign: [] };

(async () => {
  const { browser, page } = await launch(executablePath, seen, address);
  await page.goto(address);
  await page.locator('.more').click();
  await page.waitForFunction(count => document.querySelectorAll('.rows .row:not(.head)').length === count, Number(backends));
  await page.evaluate(() => {
    window.tasks = [];
    new PerformanceObserver(list => window.tasks.push(...list.getEntries().map(e => Math.round(e.duration)))).observe({ type: 'longtask' });
  });
  seen.frames = await page.evaluate(async () => {
    let frames = 0;
    const until = performance.now() + 10000;
    while (performance.now() < until) {
      window.scrollBy(0, 60);
      await new Promise(requestAnimationFrame);
      frames++;
    }
    return frames / 10;
  });
  seen.tasks = await page.evaluate(() => window.tasks);
  seen.scrolled = await page.evaluate(() => window.scrollY);
  await page.locator('#search').fill('b0999');
  seen.found = await page.locator('.rows .name').allInnerTexts();
  await browser.close();
  console.log(JSON.stringify(seen));
})().catch(fault => {
  console.error(fault, seen);
  process.exit(1);
});
