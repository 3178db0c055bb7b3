// Client of the `ws` package. node ws-client.js PORT CA CONNECTIONS LARGEST; prints what it saw as one line of JSON:
// {"seen": {"BACKEND FINGERPRINT": connections}, "bytes": echoed, "pongs": count}. Anything unexpected ends it with code 1.
'use strict';
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { once } = require('node:events');
const WebSocket = require('ws');

const [port, caFile, connections, largest] = process.argv.slice(2);
const ca = fs.readFileSync(caFile, 'utf8').split(/(?=-----BEGIN)/);
const report = { seen: {}, bytes: 0, pongs: 0 };

async function open() {
  const socket = new WebSocket(`wss://localhost:${port}/`, { ca, perMessageDeflate: false });
  const [[response]] = await Promise.all([once(socket, 'upgrade'), once(socket, 'open')]);
  const fingerprint = socket._socket.getPeerCertificate().fingerprint256.replaceAll(':', '');
  const seen = `${response.headers['x-backend']} ${fingerprint}`;
  report.seen[seen] = (report.seen[seen] ?? 0) + 1;
  return socket;
}

async function echo(socket, size) {
  const sent = crypto.randomBytes(size);
  socket.send(sent);
  const [received, isBinary] = await once(socket, 'message');
  assert.ok(isBinary && sent.equals(received), `${size} bytes came back changed`);
  report.bytes += size;
}

async function close(socket) {
  socket.close(1000, 'done');
  const [code] = await once(socket, 'close');
  assert.strictEqual(code, 1000);
}

async function main() {
  const first = await open();
  for (const size of [0, 1, 125, 126, 65535, 65536, Number(largest)]) await echo(first, size);
  first.send('grüße 🙂');
  const [text, isBinary] = await once(first, 'message');
  assert.ok(!isBinary && text.toString() === 'grüße 🙂');
  first.ping('are you there');
  const [pong] = await once(first, 'pong');
  assert.strictEqual(pong.toString(), 'are you there');
  report.pongs += 1;
  await close(first);

  const all = await Promise.all(Array.from({ length: Number(connections) }, open));
  await Promise.all(all.map((socket) => echo(socket, 1000)));
  await Promise.all(all.map(close));
  console.log(JSON.stringify(report));
}

main().catch((error) => { console.error(error); process.exit(1); });
