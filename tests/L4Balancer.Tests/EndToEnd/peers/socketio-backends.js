// Servers of socket.io over HTTP, each with sessions of its own, as several hosts would be. node socketio-backends.js NAME...; prints
// "listening PORT PORT ..."; ends with its stdin. A server knows only the sessions that it has opened itself.
'use strict';
const http = require('node:http');
const { Server } = require('socket.io');

async function open(name) {
  const server = http.createServer();
  new Server(server, { pingInterval: 300, pingTimeout: 3000 }).on('connection', (socket) => socket.emit('backend', name));
  await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1' }, resolve));
  return server.address().port;
}

Promise.all(process.argv.slice(2).map(open)).then((ports) => console.log(`listening ${ports.join(' ')}`));
process.stdin.on('end', () => process.exit(0)).resume();
