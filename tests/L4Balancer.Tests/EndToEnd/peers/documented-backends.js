// Backends of ws (at /chat) and of socket.io that let in a client by the code of docs/websockets.md. node documented-backends.js DOCUMENT
// SECRETFILE NAME...; prints "listening PORT...". Each sends a new client its name, and closes at any message. Ends with its stdin.
'use strict';
const http = require('node:http');
const { Server } = require('socket.io');
const { WebSocketServer } = require('ws');
const documented = require('./documented.js');

globalThis.require = require;
const [document, secretFile, ...names] = process.argv.slice(2);
documented.run(documented.blocksOf(document, '', secretFile), 'function claimsOf');

const start = (name) => new Promise((resolve) => {
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url, 'http://backend');
    if (url.pathname !== '/chat') return;
    if (!claimsOf(url.searchParams.get('token') ?? '', name)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(name);
      client.on('message', () => client.close());
    });
  });
  new Server(server, { destroyUpgrade: false })
    .use((socket, next) => next(claimsOf(socket.handshake.auth.token ?? '', name) ? undefined : new Error('not admitted')))
    .on('connection', (socket) => {
      socket.emit('backend', name);
      socket.on('leave', () => socket.disconnect(true));
    });
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
});

Promise.all(names.map(start)).then((ports) => console.log(`listening ${ports.join(' ')}`));
process.stdin.on('end', () => process.exit(0)).resume();
