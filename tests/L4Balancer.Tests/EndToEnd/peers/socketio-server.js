// Echo server of socket.io over TLS. node socketio-server.js NAME CERTIFICATE KEY; prints "listening PORT"; ends with its stdin.
'use strict';
const fs = require('node:fs');
const https = require('node:https');
const { Server } = require('socket.io');

const [name, certificate, key] = process.argv.slice(2);
const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
const io = new Server(server, { maxHttpBufferSize: 64 * 1024 * 1024, pingInterval: 200, pingTimeout: 60000 });
io.on('connection', (socket) => {
  socket.emit('backend', name);
  socket.on('echo', (data, answer) => answer(data));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => console.log(`listening ${server.address().port}`));
process.stdin.on('end', () => process.exit(0)).resume();
