// Client of socket.io. node socketio-client.js PORT CA CONNECTIONS LARGEST TRANSPORTS; TRANSPORTS is "websocket", or
// "polling,websocket": long polling first, then the upgrade, which works only where every request reaches the same backend.
// Prints one line of JSON as ws-client.js does; "pongs" counts heartbeats.
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { io } = require('socket.io-client');

const [port, caFile, connections, largest, transports] = process.argv.slice(2);
const ca = fs.readFileSync(caFile, 'utf8').split(/(?=-----BEGIN)/);
const report = { seen: {}, bytes: 0, pongs: 0 };

const within = (promise, what) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: nothing for 60 s`)), 60000).unref()),
]);

async function open() {
  const socket = io(`https://localhost:${port}`, {
    ca, forceNew: true, reconnection: false, transports: transports.split(','), perMessageDeflate: false,
  });
  const failed = new Promise((_, reject) => socket.on('connect_error', reject));
  const backend = new Promise((resolve) => socket.on('backend', resolve));
  const name = await within(Promise.race([backend, failed]), 'connect');
  const engine = socket.io.engine;
  if (engine.transport.name !== 'websocket') await within(once(engine, 'upgrade'), 'upgrade');
  const fingerprint = engine.transport.ws._socket.getPeerCertificate().fingerprint256.replaceAll(':', '');
  const seen = `${name} ${fingerprint}`;
  report.seen[seen] = (report.seen[seen] ?? 0) + 1;
  return socket;
}

// The emitters of socket.io are not those of Node.
const once = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

async function echo(socket, size) {
  const sent = crypto.randomBytes(size);
  const received = await socket.timeout(60000).emitWithAck('echo', sent);
  assert.ok(sent.equals(received), `${size} bytes came back changed`);
  report.bytes += size;
}

async function close(socket) {
  const closed = once(socket, 'disconnect');
  socket.disconnect();
  assert.strictEqual(await within(closed, 'close'), 'io client disconnect');
}

async function main() {
  const first = await open();
  for (const size of [0, 1, 65536, Number(largest)]) await echo(first, size);
  await within(once(first.io.engine, 'heartbeat'), 'heartbeat');
  report.pongs += 1;
  await close(first);

  const all = await Promise.all(Array.from({ length: Number(connections) }, open));
  await Promise.all(all.map((socket) => echo(socket, 1000)));
  await Promise.all(all.map(close));
  console.log(JSON.stringify(report));
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
