// The status page in a real browser before a daemon that is made of lines: states that take long to bring about with a real one, and axe-core on
// each of them. Prints what it saw, as JSON.
// Arguments: the page's document (a file), its policy, the browser.
'use strict';
const fs = require('node:fs');
const axe = require('axe-core');
const { launch } = require('./browser.js');
const { FakeDaemon } = require('./fake-daemon.js');

const [document_, policy, executablePath] = process.argv.slice(2);
const address = 'http://balancer.test/';
const seen = { faults: [], foreign: [], violations: [] };
const daemon = new FakeDaemon();

async function serve(route) {
  const request = route.request();
  const url = new URL(request.url());
  if (url.pathname === '/') {
    return route.fulfill({ body: fs.readFileSync(document_, 'utf8'), headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy } });
  }
  const answer = daemon.answer(request.method(), url.pathname, url.search, request.postData());
  return answer && route.fulfill({ status: answer[0], contentType: 'application/json', body: JSON.stringify(answer[1]) });
}

(async () => {
  const { browser, page } = await launch(executablePath, seen, address);
  await page.route('**/*', serve);
  const judge = async name => {
    await page.evaluate(`window.axe || (() => {${axe.source}})()`);
    const { violations } = await page.evaluate(() => window.axe.run());
    seen.violations.push(...violations.flatMap(v => v.nodes.map(n => `${name}: ${v.id}: ${n.html}: ${n.failureSummary}`)));
  };
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') || document.activeElement.id || document.activeElement.tagName);
  const button = name => page.getByRole('button', { name, exact: true });
  const icon = () => page.locator('link[rel=icon]').getAttribute('href').then(href => href.match(/stroke='%23(\w+)'/)[1]);
  const changed = async number => {
    while (daemon.changes.length < number) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  };

  await page.goto(address);
  await page.evaluate(() => { api.token = 'token'; });
  await page.locator('#wrong-title', { hasText: 'Nothing is wrong' }).waitFor();
  seen.well = [await page.locator('#wrong-title').innerText(), await page.title(), await icon(), (await page.locator('#about').innerText()).split(' · ')[0]];

  // The charts are there at once, with their time axes.
  await page.locator('#ranges button[data-minutes="60"]').click();
  seen.points = await page.locator('#chart-connections .a').getAttribute('d').then(d => d.split('L').length);
  seen.ticks = await page.locator('#chart-connections .axis span').allInnerTexts();

  // Events have their day, and filters.
  seen.days = await page.locator('.events .day').count();
  await page.locator('#events-level').selectOption('warning');
  seen.warnings = await page.locator('.events li:not(.day) span:last-child').allInnerTexts();
  await page.locator('#events-text').fill('WS2');
  seen.ofOne = await page.locator('.events li:not(.day) span:last-child').allInnerTexts();
  await judge('light');
  await page.locator('#theme').selectOption('dark');
  await judge('dark');
  await page.locator('#theme').selectOption('light');

  // By keyboard: maintenance hides the button that was pressed.
  await button('Maintenance chat/ws2').focus();
  await page.keyboard.press('Enter');
  await page.locator('#backend-chat\\/ws2 .chip', { hasText: 'maintenance' }).waitFor();
  await page.waitForFunction(() => document.activeElement !== document.body);
  seen.heir = await focused();
  await page.getByRole('button', { name: 'Undo' }).click();
  await changed(2);
  await page.locator('#backend-chat\\/ws2 .chip', { hasText: 'up' }).waitFor();

  // The row with the focus is filtered away, and then back.
  await button('Drain chat/ws3').focus();
  await page.evaluate(() => pools.choose({ text: 'ws1' }));
  await page.evaluate(() => keyboard.mend());
  seen.home = await focused();
  await page.evaluate(() => pools.choose({ text: 'no such backend' }));
  seen.nothing = await page.locator('#nothing').isVisible();
  await button('Show all').click();

  await button('Weight of chat/ws1').click();
  await page.locator('#weight').fill('7');
  await judge('dialog');
  await page.locator('#weight').press('Enter');
  await changed(3);

  // Two of a pool at once.
  await page.getByLabel('Select chat/ws4').check();
  await page.getByLabel('Select chat/ws5').check();
  await page.locator('.bulk:visible').getByRole('button', { name: 'Drain…' }).click();
  await page.locator('#drain-dialog input[value=within]').check();
  await page.locator('#drain-dialog button[value=ok]').click();
  await changed(5);
  await page.locator('.toast', { hasText: '2 backends of chat are draining' }).getByRole('button', { name: 'Undo' }).click();
  await changed(7);
  seen.changes = daemon.changes.splice(0);

  await page.locator('#all-connections').click();
  await button('Close the connection of 203.0.113.2:5000').click();
  await changed(1);
  await page.locator('#listing-source').fill('203.0.113.0/24');
  await page.locator('#listing-source').press('Enter');
  await page.locator('#connections-close').click();
  await page.locator('#confirm-ok').click();
  await changed(2);
  await judge('connections');
  seen.closes = daemon.changes.splice(0);
  await page.locator('#connections-dialog .cancel').click();

  // A dead pool comes first; so does what is wrong.
  daemon.set('rooms', 'r1', 'down', 'connection refused');
  daemon.set('rooms', 'r2', 'degraded', 'status 503');
  await page.evaluate(() => refresh());
  await page.locator('.pool.dead').waitFor();
  await page.locator('#wrong-list li').nth(2).waitFor();
  seen.wrong = await page.locator('#wrong-list li').allInnerTexts();
  seen.first = await page.locator('.pool .fold').first().innerText();
  seen.dead = [await page.title(), await icon()];
  await judge('dead');

  // A phone: what is well is folded, and unfolds with the same actions.
  await page.setViewportSize({ width: 360, height: 740 });
  seen.folded = await page.locator('.fold').evaluateAll(all => all.map(f => `${f.textContent} ${f.getAttribute('aria-expanded')}`));
  await page.locator('#pool-chat .fold').click();
  seen.actions = await page.locator('#backend-chat\\/ws1 .c-actions button').allInnerTexts();
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await judge('phone');
  await page.setViewportSize({ width: 1280, height: 800 });

  // A daemon that hangs.
  daemon.isHung = true;
  await page.evaluate(() => refresh());
  await page.locator('#ready', { hasText: 'no answer' }).waitFor();
  await button('Maintenance chat/ws1').focus();
  await page.keyboard.press('Enter');
  await page.locator('.toast', { hasText: 'nothing can be changed now' }).waitFor();
  seen.hung = [await page.title(), await icon(), await button('Maintenance chat/ws1').getAttribute('aria-disabled'), daemon.changes.length, await focused()];
  seen.hangs = await page.locator('#trouble').innerText();
  await judge('hung');
  daemon.isHung = false;
  daemon.pid = 8;
  await page.evaluate(() => refresh());
  await page.locator('#ready', { hasText: 'ready' }).waitFor();
  seen.back = [await page.locator('#trouble').isVisible(), await button('Maintenance chat/ws1').getAttribute('aria-disabled')];

  // A pool of packets has no connections to count or to move; a packet listener that is not attached is a fault.
  daemon.packets = { interface: 'eth0', forward: 'l2', attachment: '', flows: 9, flows_limit: 1000 };
  daemon.backends.filter(b => b.pool === 'rooms').forEach(b => Object.assign(b, { connections: 0, packets: { packets: 4, bytes: 600, mac: null } }));
  await page.evaluate(() => refresh());
  await page.locator('#wrong-list li', { hasText: 'Listener packets is not attached to eth0' }).waitFor();
  seen.packets = [await page.locator('#backend-rooms\\/r1 .c-connections').innerText(), await page.locator('#pool-rooms .facts').innerText(),
    await page.locator('#listeners .listeners > :last-child').innerText(), String(await button('Rebalance rooms').isVisible())];
  await judge('packets');

  // The daemon's clock is set back by half an hour: the charts go on.
  daemon.behind = 1800000;
  seen.clock = await page.evaluate(async () => {
    recorded.last = 719;
    await recorded.read();
    const samples = recorded.samples;
    return [samples.every((s, i) => i === 0 || s.at > samples[i - 1].at), Math.round((Date.now() - samples.at(-1).at) / 60000)];
  });
  await browser.close();
  console.log(JSON.stringify(seen));
  process.exit(0);
})().catch(fault => {
  console.error(fault, seen, daemon.changes);
  process.exit(1);
});
