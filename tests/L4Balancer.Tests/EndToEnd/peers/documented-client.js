// A client that is the code of docs/websockets.md. node documented-client.js DOCUMENT ENDPOINT ws|signalr|socketio; prints the names of the backends
// that it came to, as a JSON array: of ws and socket.io the second is where it came by itself after the first had closed.
'use strict';
const documented = require('./documented.js');

// The log of SignalR's client must not stand among the names.
console.info = console.log = console.error;
const [document, endpoint, kind] = process.argv.slice(2);
const blocks = documented.blocksOf(document, endpoint, '');

// Calls back with each socket that the code makes.
const kinds = {
  ws: (made) => {
    const { WebSocket } = require('ws');
    globalThis.WebSocket = class extends WebSocket {
      constructor(...of) {
        super(...of);
        made({ named: new Promise((resolve) => this.once('message', (data) => resolve(String(data)))), leave: () => this.send('leave') });
      }
    };
    documented.run(blocks, 'new WebSocket(');
    return connect();
  },
  socketio: (made) => {
    const client = require('socket.io-client');
    globalThis.io = (...of) => {
      const socket = client.io(...of);
      made({ named: new Promise((resolve) => socket.once('backend', resolve)), leave: () => socket.emit('leave') });
      return socket;
    };
    documented.run(blocks, 'io(url');
    return open();
  },
  signalr: async (made) => {
    globalThis.signalR = require('@microsoft/signalr');
    const hub = documented.run(blocks, 'HubConnectionBuilder');
    made({ named: new Promise((resolve) => hub.on('backend', resolve)), leave: () => hub.stop().then(() => done(1)) });
    await hub.start();
  },
};

const names = [];
const done = (count) => {
  if (names.length < count) return;
  process.stdout.write(JSON.stringify(names), () => process.exit(0));
};
kinds[kind](async (socket) => {
  names.push(await socket.named);
  done(2);
  socket.leave();
}).catch((fault) => { console.error(fault); process.exit(1); });
