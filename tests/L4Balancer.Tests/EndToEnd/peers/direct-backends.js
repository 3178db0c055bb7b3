// WebSocket servers of the `ws` package that let in only clients with a token for them. node direct-backends.js SECRETFILE NAME...; prints
// "listening PORT...". Each sends a new client its name and the key of the token, then echoes. Ends with its stdin.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const { WebSocketServer } = require('ws');
const { claimsOf } = require('./endpoint-token.js');

const [secretFile, ...names] = process.argv.slice(2);
const secret = fs.readFileSync(secretFile);

const start = (name) => new Promise((resolve) => {
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    let claims;
    try {
      claims = claimsOf(new URL(request.url, 'http://backend').searchParams.get('token') ?? '', secret, name);
    } catch (fault) {
      socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(JSON.stringify({ backend: name, key: claims.k }));
      client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    });
  });
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
});

Promise.all(names.map(start)).then((ports) => console.log(`listening ${ports.join(' ')}`));
process.stdin.on('end', () => process.exit(0)).resume();
