// What the admin API would answer, for the page in a browser without a daemon: two pools, of which each test changes what it needs.
'use strict';

const HOUR = 3600000;

exports.FakeDaemon = class {
  constructor() {
    this.pid = 7;
    this.isHung = false;
    this.behind = 0; // milliseconds by which its clock was set back
    this.packets = undefined; // of a packet listener with the pool rooms
    this.changes = []; // METHOD path body, of what was changed
    this.backends = [...Array(6)].map((_, i) => this.backend('chat', `ws${i + 1}`)).concat([this.backend('rooms', 'r1'), this.backend('rooms', 'r2')]);
    const event = (ago, level, text) => ({ at: new Date(Date.now() - ago).toISOString(), level, text });
    this.events = [event(30 * HOUR, 'info', 'started'), event(29 * HOUR, 'error', 'configuration reload failed: 12:5'), event(60000, 'warning', 'backend chat/ws2 is down'),
      event(1000, 'info', 'backend chat/ws2 is up')].map((e, i) => ({ number: i + 1, ...e }));
  }

  backend(pool, name) {
    return {
      pool, name, address: '10.0.0.1:80', resolved_address: '10.0.0.1:80', resolved: true, resolve_error: '', host: null, state: 'up', since: new Date(Date.now() - HOUR).toISOString(),
      state_seconds: 3600, takes_connections: true, weight: 100, backup: false, connections: 40, share_ratio: 1, connect_attempts: 9, bytes_to_backend: 1, bytes_to_client: 1,
      connect_failures: {}, closed: {}, shed: {}, shedding: null, in_configuration: true, health: {
        succeeded: 1, failed: 0, local_errors: 0, transitions: 0, last_transition: null, detail: '', last_probe: { at: new Date().toISOString(), outcome: 'success', detail: '' },
      },
    };
  }

  set(pool, name, state, detail = '') {
    const backend = this.backends.find(b => b.pool === pool && b.name === name);
    Object.assign(backend, { state, takes_connections: state === 'up', since: new Date().toISOString(), state_seconds: 1, share_ratio: state === 'up' ? 1 : null });
    backend.health.detail = detail;
    return backend;
  }

  // [status, answer], or null: no answer ever
  answer(method, path, query, body) {
    if (this.isHung) {
      return null;
    }
    const [, pool, name, verb] = path.match(/^\/v1\/backends\/(\w+)\/(\w+)\/(\w+)$/) || [];
    if (method !== 'GET') {
      this.changes.push(`${method} ${path}${query}${body ? ` ${body}` : ''}`);
      if (verb === 'weight') {
        return [200, Object.assign(this.set(pool, name, 'up'), JSON.parse(body))];
      }
      return verb ? [200, this.set(pool, name, { drain: 'draining', maint: 'maintenance', ready: 'up' }[verb])] : [202, { connections: 3, id: 1, reason: 'admin' }];
    }
    const answers = {
      '/v1/status': () => this.status(),
      '/v1/backends': () => ({ backends: this.backends }),
      '/v1/history': () => this.history(Number(new URLSearchParams(query).get('after'))),
      '/v1/events': () => ({ events: this.events.filter(e => e.number > Number(new URLSearchParams(query).get('after'))) }),
      '/v1/ages': () => ({ at: new Date().toISOString(), bounds_seconds: [10, 60, 3600], counts: [1, 2, 3, 4] }),
      '/v1/fleet': () => ({
        name: 'chat-fleet', id: 'lb1', connected: true, fault: '', since: '', id_held_by: '', health: 'own', not_shared: 0, differences: [], intents: [],
        members: ['lb1', 'lb2'].map(id => ({ id, self: id === 'lb1', version: '1.0.0', state: 'ready', configuration: 'c0ffee', backends: { 'chat/ws1': 'up' } })),
      }),
      '/v1/connections': () => ({ total: 3, connections: [1, 2, 3].map(id => this.connection(id)) }),
    };
    return answers[path] ? [200, answers[path]()] : [404, { detail: `nothing at ${path}` }];
  }

  status() {
    const pools = ['chat', 'rooms'].map(name => {
      const members = this.backends.filter(b => b.pool === name);
      return { name, balance: 'ring', backends: members.length, connections: 240, takes_connections: members.some(b => b.takes_connections), rebalance: null, discovery: null };
    });
    return {
      host: 'lb1', version: '1.0.0', commit: 'c', runtime: '', engine: 'epoll', pid: this.pid, started_at: new Date(Date.now() - 2 * HOUR).toISOString(), uptime_seconds: 7200, ready: true,
      generation: 3, connections: { pending: 1, active: 320, limit: 1000 }, accepted: 5, refused: {}, closed: { client_closed: 4 }, bytes_to_backend: 1, bytes_to_client: 1,
      listeners: [{ name: 'wss', pool: 'chat', addresses: ['0.0.0.0:443'], accepted: 5, pending: 1, open: 320, refused: {} }].concat(this.packets
        ? [{ name: 'packets', pool: 'rooms', addresses: ['192.0.2.10:443'], accepted: 0, pending: 0, open: 0, refused: {}, packets: this.packets }] : []),
      packets_dropped: this.packets && { fragment: 2, 'no-room': 0 }, pools, workers: [{ worker: 0, connections: 320, cpu_seconds: 1 }],
      descriptors: { open: 700, limit: 4000 }, source_ports: [{ source_ip: 'auto', destination: '10.0.0.1:80', in_use: 9, limit: 28232 }], upgrade: null,
      fleet: { name: 'chat-fleet', id: 'lb1', connected: true, fault: '', id_held_by: '', members: 3, not_shared: 0, disagreement: { version: 0, configuration: 0, ring: 0, health: 0 } },
    };
  }

  history(after) {
    const numbers = [...Array(720).keys()].map(i => i + 1).filter(n => n > after);
    const column = value => numbers.map(value);
    return {
      interval_seconds: 5, last: 720, at: column(n => Date.now() - this.behind - (720 - n) * 5000), active: column(n => 300 + n % 20), pending: column(() => 1), up: column(() => 8), backends: column(() => 8),
      accepted_per_second: column(() => 2), refused_per_second: column(() => 0), bytes_to_backend_per_second: column(() => 100), bytes_to_client_per_second: column(() => 500),
    };
  }

  connection(id) {
    return {
      id, client: `203.0.113.${id}:5000`, destination: '', listener: 'wss', pool: 'chat', backend: 'ws1', source: null, age_seconds: 99, idle_seconds: 1, bytes_to_backend: 1, bytes_to_client: 2,
      generation: 3, state: 'active', route: null, rule: null, sni: null, host: null, key: null,
    };
  }
};
