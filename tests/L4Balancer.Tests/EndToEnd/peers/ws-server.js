// Echo server of the `ws` package over TLS. node ws-server.js NAME CERTIFICATE KEY; prints "listening PORT"; ends with its stdin.
'use strict';
const fs = require('node:fs');
const https = require('node:https');
const { WebSocketServer } = require('ws');

const [name, certificate, key] = process.argv.slice(2);
const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
const sockets = new WebSocketServer({ server });
sockets.on('headers', (headers) => headers.push(`X-Backend: ${name}`));
sockets.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', (error) => console.error(`${name}: ${error.message}`));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => console.log(`listening ${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume();
