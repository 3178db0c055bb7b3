// What is wrong, worst first, and since when. Where nothing is, one line says so.

const BY_NAME = 3; // broken backends of a pool that get a line each; more of them share one

const trouble = {
  show(now) {
    const all = [...this.ofPools(now), ...this.ofBackends(now), ...this.ofFleet(now.status), ...this.ofRoom(now.status), ...this.ofDaemon(now)];
    const found = [...all.filter(l => l.kind === 'bad'), ...all.filter(l => l.kind === 'warn')];
    const set = this.setByOperators(now);
    const list = document.getElementById('wrong-list');
    const wanted = [...found, ...set];
    while (list.children.length > wanted.length) {
      list.lastElementChild.remove();
    }
    wanted.forEach((line, i) => this.place(list, i, line));
    const worst = found.length ? (found.some(l => l.kind === 'bad') ? 'bad' : 'warn') : 'fine';
    setClass(document.getElementById('wrong'), `card wrong ${worst}`);
    setText(document.getElementById('wrong-title'), found.length === 0 ? this.allIsWell(now) : found.length === 1 ? 'One thing needs attention' : `${found.length} things need attention`);
    return worst;
  },

  // The daemon does not answer: what was found is of an earlier time.
  doubt(before) {
    setClass(document.getElementById('wrong'), 'card wrong bad');
    setText(document.getElementById('wrong-title'), before ? `The daemon does not answer. Before, at ${clock(before.time)}:` : 'The daemon does not answer');
  },

  // Lines are updated in place, so that the one with the focus keeps it.
  place(list, i, { kind, text, since, lead }) {
    let line = list.children[i];
    if (!line) {
      const button = element('button', { type: 'button', onclick: () => line.lead && line.lead() });
      line = element('li', {}, button, element('span.text'), element('span.since'));
      list.append(line);
    }
    line.lead = lead;
    setClass(line, kind);
    const [button, plain, age] = line.children;
    [button.hidden, plain.hidden] = [!lead, !!lead];
    setText(lead ? button : plain, text);
    setText(age, since ? `since ${moment(since)}, ${duration(Math.max(0, (this.now - since) / 1000))}` : '');
  },

  ofPools({ status, backends }) {
    return status.pools.filter(p => !p.takes_connections).map(pool => {
      const members = backends.filter(b => b.pool === pool.name && b.in_configuration);
      return {
        kind: 'bad',
        text: `Pool ${pool.name} is dead: ${members.length ? `none of its ${members.length === 1 ? 'one backend' : `${members.length} backends`} takes connections` : 'it has no backends'}. Its clients are refused`,
        since: latest(members),
        lead: () => pools.lead(pool.name, ''),
      };
    });
  },

  ofBackends({ status, backends }) {
    return status.pools.flatMap(pool => BROKEN.flatMap(state => {
      const broken = backends.filter(b => b.pool === pool.name && b.state === state);
      const kind = state === 'down' ? 'bad' : 'warn';
      return broken.length > BY_NAME
        ? [{ kind, text: `${broken.length} of ${pool.backends} backends of ${pool.name} are ${state}: ${few(broken.map(b => b.name))}`, since: earliest(broken), lead: () => pools.lead(pool.name, '', state) }]
        : broken.map(b => ({ kind, text: `${titleOf(b)} is ${state}${b.health.detail ? `: ${b.health.detail}` : ''}`, since: earliest([b]), lead: () => pools.lead(pool.name, titleOf(b)) }));
    }));
  },

  ofFleet({ fleet, pools: all }) {
    const lines = all.filter(doubtOf).map(p => ({ kind: 'warn', text: `The source of pool ${p.name} (${p.discovery.source}): ${doubtOf(p)}`, lead: () => pools.lead(p.name, '') }));
    if (fleet && !fleet.connected) {
      lines.push({ kind: 'warn', text: `etcd does not answer: ${fleet.fault}` });
    }
    if (fleet && fleet.id_held_by) {
      lines.push({ kind: 'bad', text: `Another process of fleet ${fleet.name} has the id ${fleet.id}: ${fleet.id_held_by}` });
    }
    const differs = fleet ? Object.entries(fleet.disagreement).filter(([, n]) => n > 0).map(([kind]) => kind) : [];
    return differs.length ? [...lines, { kind: 'warn', text: `The balancers of fleet ${fleet.name} differ in ${differs.join(', ')}` }] : lines;
  },

  ofRoom(status) {
    const lines = [];
    const look = (used, limit, text) => {
      if (limit && used >= 0.7 * limit) {
        lines.push({ kind: used >= 0.9 * limit ? 'bad' : 'warn', text: `${text}: ${count(used)} of ${count(limit)}` });
      }
    };
    status.source_ports.forEach(s => look(s.in_use, s.limit, `Source ports of ${s.source_ip} to ${s.destination}`));
    look(status.descriptors.open, status.descriptors.limit, 'File descriptors');
    look(status.connections.active + status.connections.pending, status.connections.limit, 'Connections');
    return lines;
  },

  ofDaemon({ status }) {
    const lines = [];
    const refused = recorded.lately('refused_per_second');
    if (refused > 0) {
      lines.push({ kind: 'warn', text: `Clients were refused in the last minute: ${refused < 0.1 ? 'less than 0.1' : rate(refused)} per second`, lead: () => leadTo('reasons') });
    }
    if (status.upgrade && status.upgrade.state === 'failed') {
      lines.push({ kind: 'warn', text: `The upgrade has failed: ${status.upgrade.fault}`, since: new Date(this.now - status.upgrade.ended_seconds * 1000) });
    }
    for (const l of status.listeners.filter(l => l.packets && !l.packets.attachment)) {
      lines.push({ kind: 'bad', text: `Listener ${l.name} is not attached to ${l.packets.interface}: its packets are not sent on`, lead: () => leadTo('listeners') });
    }
    return status.ready ? lines : [{ kind: 'warn', text: 'The daemon is stopping: /readyz says so' }, ...lines];
  },

  // Nothing wrong, but easily forgotten.
  setByOperators({ backends }) {
    return ['draining', 'maintenance'].flatMap(state => {
      const set = backends.filter(b => b.state === state && b.in_configuration);
      return set.length ? [{ kind: 'note', text: `${state === 'draining' ? 'Draining' : 'In maintenance'}: ${few(set.map(titleOf))}`, since: earliest(set), lead: () => pools.lead(set[0].pool, set.length === 1 ? titleOf(set[0]) : '', state) }] : [];
    });
  },

  allIsWell({ status, backends }) {
    const there = backends.filter(b => b.in_configuration);
    const up = there.filter(b => b.state === 'up').length;
    return `Nothing is wrong: ${count(up)} of ${count(there.length)} backends up in ${status.pools.length === 1 ? 'one pool' : `${status.pools.length} pools`}`;
  },
};

function earliest(backends) {
  const times = backends.filter(b => b.since).map(b => Date.parse(b.since));
  return times.length ? new Date(Math.min(...times)) : null;
}

// Of a dead pool: when the last of its backends left.
function latest(backends) {
  const times = backends.filter(b => b.since).map(b => Date.parse(b.since));
  return times.length ? new Date(Math.max(...times)) : null;
}

// The pools of which no backend takes connections: their clients are refused.
function deadPools(status) {
  return status.pools.filter(pool => !pool.takes_connections).map(pool => pool.name);
}

function deadText(dead) {
  return dead.length === 1 ? `pool ${dead[0]} is dead` : `${dead.length} pools are dead`;
}

function leadTo(id) {
  const place = document.getElementById(id);
  place.setAttribute('tabindex', '-1');
  place.scrollIntoView({ block: 'center' });
  place.focus({ preventScroll: true });
}
