// A page of another origin tries everything that a browser lets a page do to the admin API. Prints what it achieved, as JSON.
// Arguments: the page's origin is http://127.0.0.1:<own port>; admin is http://127.0.0.1:<port> of the daemon.
'use strict';
const http = require('node:http');
const { chromium } = require('playwright-core');

const [admin, executablePath] = process.argv.slice(2);

const attempts = async ({ admin }) => {
  const out = {};
  const attempt = async (name, act) => {
    try { out[name] = await act(); } catch (e) { out[name] = 'blocked: ' + e.name; }
  };
  const change = '/v1/backends/chat/ws1/drain';
  await attempt('read', async () => (await fetch(admin + '/v1/status')).text());
  await attempt('opaque read', async () => (await (await fetch(admin + '/v1/status', { mode: 'no-cors' })).text()) || 'opaque');
  await attempt('post', async () => (await fetch(admin + change, { method: 'POST' })).status);
  await attempt('opaque post', async () => (await fetch(admin + change, { method: 'POST', mode: 'no-cors' })).type);
  await attempt('post with a token', async () =>
    (await fetch(admin + change, { method: 'POST', headers: { Authorization: 'Bearer secret-of-the-tests' } })).status);
  await attempt('put', async () =>
    (await fetch(admin + '/v1/backends/chat/ws1/weight', { method: 'PUT', body: '{"weight":0}' })).status);
  await attempt('beacon', async () => (navigator.sendBeacon(admin + '/v1/reload'), 'sent'));
  await attempt('image', () => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve('loaded');
    image.onerror = () => resolve('error');
    image.src = admin + '/v1/status';
  }));
  await attempt('script', () => new Promise((resolve) => {
    const script = document.createElement('script');
    script.onload = () => resolve('loaded');
    script.onerror = () => resolve('error');
    script.src = admin + '/v1/status';
    document.head.append(script);
  }));
  await attempt('frame', () => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.onload = () => {
      try { resolve('text: ' + frame.contentDocument.body.innerText); } catch (e) { resolve('blocked: ' + e.name); }
    };
    frame.src = admin + '/v1/status';
    document.body.append(frame);
  }));
  await attempt('form', () => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.name = 'sink';
    const form = document.createElement('form');
    form.method = 'POST';
    form.action = admin + change;
    form.target = 'sink';
    document.body.append(frame, form);
    frame.onload = () => resolve('sent');
    form.submit();
  }));
  return out;
};

(async () => {
  const server = http.createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>another origin</title><body></body>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
      // A name of an attacker that resolves to this host: DNS rebinding.
      '--host-resolver-rules=MAP rebound.test 127.0.0.1'],
  });
  const result = {};
  const own = `http://127.0.0.1:${server.address().port}`;
  const page = await browser.newPage();
  await page.goto(own);
  result.foreign = await page.evaluate(attempts, { admin });

  // The same from the origin itself, as far as the browser knows: only the Host header tells.
  const rebound = admin.replace('127.0.0.1', 'rebound.test');
  const answer = await page.goto(rebound + '/v1/status');
  result.rebound = { status: answer.status(), text: await answer.text() };

  // And what is allowed: reading at the address itself.
  const direct = await page.goto(admin + '/v1/status');
  result.direct = { status: direct.status() };
  await browser.close();
  server.close();
  process.stdout.write(JSON.stringify(result));
})().catch((e) => { process.stderr.write(String(e && e.stack)); process.exit(1); });
