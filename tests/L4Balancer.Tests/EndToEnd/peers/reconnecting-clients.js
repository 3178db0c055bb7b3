// Clients of socket.io or SignalR that come back again and again. node reconnecting-clients.js socket.io|signalr PLAN, where PLAN is a JSON
// array of { id, url, headers, query, localAddress, polling, keepAlive }: each begins by requests, and unless it is "polling" goes on by a WebSocket.
// "keepAlive": its requests use connections that are open already.
// They connect, all leave and come back; "held" is printed. After a line on stdin they wait until the library itself has reconnected each of
// them, because the test has closed their connections; "returned" is printed. After another line they leave and come back twice. At last the
// sessions and faults of each are printed as JSON: { id: { sessions: [backend, ...], rounds: [backend, ...], faults: [text, ...] } }; a round
// is where a client was at the end of it.
'use strict';
const http = require('node:http');
const readline = require('node:readline');

const [library, plan] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const within = (promise, what) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: nothing for 30 s`)), 30000).unref()),
]);

class Client {
  constructor(planned) {
    Object.assign(this, planned);
    this.sessions = [];
    this.rounds = [];
    this.faults = [];
    this.waiting = [];
  }

  opened(backend) {
    this.sessions.push(backend);
    this.waiting = this.waiting.filter((check) => !check());
  }

  // Until it has had so many sessions.
  async has(count) {
    await within(new Promise((resolve) => {
      const check = () => this.sessions.length >= count && (resolve(), true);
      if (!check()) this.waiting.push(check);
    }), `${this.id}: session ${count}; ${this.faults.join(', ')}`);
    await this.settled();
    this.rounds.push(this.sessions.at(-1));
  }
}

class SocketIoClient extends Client {
  create() {
    // A pool of connections of its own, as a browser has: with that of the process one client's requests would use another's connections.
    const agent = new http.Agent({ keepAlive: this.keepAlive, localAddress: this.localAddress });
    this.socket = require('socket.io-client').io(this.url, {
      agent, query: this.query, extraHeaders: this.headers, forceNew: true, autoConnect: false, reconnectionDelay: 50, reconnectionDelayMax: 200, timeout: 4000,
      transports: this.polling ? ['polling'] : ['polling', 'websocket'],
    });
    this.socket.on('backend', (name) => this.opened(name));
    this.socket.on('connect_error', (fault) => this.faults.push(String(fault.description ?? fault)));
    this.socket.on('disconnect', (why) => why !== 'io client disconnect' && this.faults.push(why));
  }

  async connect() {
    this.socket.connect();
  }

  // The WebSocket carries the session. Each reconnection makes another engine, and one whose probe was cut off stays with requests until it is closed.
  async settled() {
    if (this.polling) return;
    let look;
    await within(new Promise((resolve) => {
      look = setInterval(() => this.socket.connected && this.socket.io.engine.transport.name === 'websocket' && resolve(), 20);
    }), `${this.id}: upgrade; ${this.faults.join(', ')}`);
    clearInterval(look);
  }

  async leave() {
    this.socket.disconnect();
  }
}

class SignalRClient extends Client {
  create() {
    const { DefaultHttpClient, HubConnectionBuilder, HttpTransportType, LogLevel, NullLogger } = require('@microsoft/signalr');
    class OneRequestEach extends DefaultHttpClient {
      send(request) {
        return super.send({ ...request, headers: { ...request.headers, Connection: 'close' } });
      }
    }
    this.hub = new HubConnectionBuilder()
      .withUrl(`${this.url}/hub?${new URLSearchParams(this.query)}`, {
        headers: this.headers ?? {},
        httpClient: this.keepAlive ? undefined : new OneRequestEach(NullLogger.instance),
        transport: this.polling ? HttpTransportType.LongPolling : HttpTransportType.WebSockets,
      })
      .withAutomaticReconnect(Array(50).fill(100)).configureLogging(LogLevel.None).build();
    this.hub.on('backend', (name) => this.opened(name));
    this.hub.onreconnecting((fault) => this.faults.push(String(fault)));
    this.hub.onclose((fault) => fault && this.faults.push(String(fault)));
  }

  connect() {
    return this.hub.start();
  }

  async settled() {}

  leave() {
    return this.hub.stop();
  }
}

const clients = JSON.parse(plan).map((planned) => new (library === 'signalr' ? SignalRClient : SocketIoClient)(planned));

const everyone = (act) => Promise.all(clients.map(act));

const comeBack = () => everyone(async (client) => {
  await client.leave();
  const before = client.sessions.length;
  await client.connect();
  await client.has(before + 1);
});

async function main() {
  clients.forEach((client) => client.create());
  await comeBack();
  await comeBack();
  const held = clients.map((client) => client.sessions.length);
  console.log('held');
  await lines.next();
  await everyone((client) => client.has(held[clients.indexOf(client)] + 1));
  console.log('returned');
  await lines.next();
  await comeBack();
  await comeBack();
  console.log(JSON.stringify(Object.fromEntries(clients.map((c) => [c.id, { sessions: c.sessions, rounds: c.rounds, faults: c.faults }]))));
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
