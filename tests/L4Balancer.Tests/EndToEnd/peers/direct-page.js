// Pages in a real browser that ask the endpoint API for a backend and connect to it. node direct-page.js ENDPOINT PORT CHROMIUM: the page of
// http://127.0.0.1:PORT may ask, the same one at http://localhost:PORT may not. Prints what each achieved, as JSON.
'use strict';
const http = require('node:http');
const { chromium } = require('playwright-core');

const [endpoint, port, executablePath] = process.argv.slice(2);

// As in docs/websockets.md.
const connect = async (endpoint) => {
  const out = {};
  try {
    const answer = await (await fetch(`${endpoint}/v1/endpoint?pool=chat&key=room-7`)).json();
    const url = new URL(answer.url);
    url.searchParams.set('token', answer.token);
    const socket = new WebSocket(url);
    const messages = [];
    await new Promise((resolve, reject) => {
      socket.onerror = () => reject(new Error('no connection'));
      socket.onopen = () => socket.send('hello');
      socket.onmessage = ({ data }) => messages.push(data) === 2 && resolve();
    });
    socket.close();
    return { asked: answer, messages };
  } catch (fault) {
    return { fault: String(fault) };
  }
};

// SignalR's client in a browser sends its negotiation like this: with a preflight, and with cookies.
const negotiate = async (endpoint) => {
  try {
    const response = await fetch(`${endpoint}/negotiate?pool=chat&negotiateVersion=1`, {
      method: 'POST', body: '', credentials: 'include',
      headers: { 'X-Requested-With': 'XMLHttpRequest', 'X-SignalR-User-Agent': 'test', 'Content-Type': 'text/plain;charset=UTF-8' },
    });
    return await response.json();
  } catch (fault) {
    return { fault: String(fault) };
  }
};

(async () => {
  const server = http.createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>chat</title><body></body>');
  });
  await new Promise((resolve) => server.listen(Number(port), resolve));
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync'],
  });
  const page = await browser.newPage();
  const result = {};
  await page.goto(`http://127.0.0.1:${port}/`);
  result.allowed = await page.evaluate(connect, endpoint);
  result.negotiated = await page.evaluate(negotiate, endpoint);
  await page.goto(`http://localhost:${port}/`);
  result.foreign = await page.evaluate(connect, endpoint);
  await browser.close();
  server.close();
  process.stdout.write(JSON.stringify(result));
})().catch((e) => { process.stderr.write(String(e && e.stack)); process.exit(1); });
