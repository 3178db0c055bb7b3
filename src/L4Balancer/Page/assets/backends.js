// Pools and their backends: one row per backend, created once and updated in place.

const STATES = ['up', 'degraded', 'down', 'draining', 'maintenance', 'checking'];
const SHOWN_AT_FIRST = 100; // rows per pool; the others are created on demand, so that a pool of a thousand backends stays cheap

class BackendRow {
  constructor(backend) {
    this.state = element('span.chip');
    this.since = element('div.since.dim');
    this.name = element('div.name');
    this.address = element('div.dim');
    this.connections = element('button.quiet.number', { type: 'button', onclick: () => listing.open(this.backend) });
    this.bar = element('i');
    this.fair = element('b');
    this.share = element('span');
    this.news = element('span');
    this.up = element('div');
    this.down = element('div');
    this.probe = element('div.probe');
    this.take = element('button.quiet', { type: 'button', onclick: () => this.toggle() });
    this.rest = element('button.quiet', { type: 'button', onclick: () => maintain(this.backend) }, 'Maintenance');
    this.progress = element('progress', { max: 1, value: 0 });
    this.shed = element('span');
    this.shedding = element('div.shedding', { role: 'cell' }, this.progress, this.shed);
    this.shedding.hidden = true;
    const cell = (kind, ...children) => element(kind, { role: 'cell' }, ...children);
    this.node = element('div.row', { role: 'row' },
      cell('div.c-state', this.state, this.since),
      cell('div.c-name', this.name, this.address),
      cell('div.c-connections', element('div.share', {}, this.connections, element('div.track', {}, this.bar, this.fair))),
      cell('div.c-share.number', this.share),
      cell('div.c-new.number', this.news),
      cell('div.c-traffic.traffic', this.up, this.down),
      cell('div.c-probe', this.probe),
      cell('div.c-actions.actions', this.take, this.rest),
      this.shedding);
    setText(this.name, backend.name);
  }

  toggle() {
    return this.backend.state === 'draining' || this.backend.state === 'maintenance' ? setMode(this.backend, 'ready') : drain(this.backend);
  }

  // most: connections of the fullest backend of the pool; speed: rates since the previous poll, null at the first
  show(backend, most, speed, now) {
    this.backend = backend;
    setText(this.state, backend.state);
    setClass(this.state, `chip ${backend.state}`);
    const since = backend.since ? new Date(backend.since) : null;
    setText(this.since, since ? `for ${duration(Math.max(0, backend.state_seconds))}` : '');
    this.since.title = since ? `since ${since.toISOString()}${lastTransition(backend)}` : '';
    setText(this.address, addressLine(backend));
    setText(this.connections, count(backend.connections));
    this.connections.setAttribute('aria-label', `${count(backend.connections)} connections of ${backend.pool}/${backend.name}`);
    const fair = backend.share_ratio ? backend.connections / backend.share_ratio : null;
    const scale = Math.max(most, fair || 0, 1);
    setStyle(this.bar, 'width', `${100 * backend.connections / scale}%`);
    this.fair.hidden = fair === null;
    setStyle(this.fair, 'left', fair === null ? '0' : `${Math.min(99.5, 100 * fair / scale)}%`);
    this.fair.title = fair === null ? '' : `fair share: ${count(fair)}`;
    setText(this.share, backend.share_ratio === null ? '' : `${backend.share_ratio.toFixed(2)}×`);
    setText(this.news, speed ? rate(speed.connects) : '');
    setText(this.up, speed ? `↑ ${bytes(speed.up)}/s` : '');
    setText(this.down, speed ? `↓ ${bytes(speed.down)}/s` : '');
    this.showProbe(backend, now);
    const taken = backend.state === 'draining' || backend.state === 'maintenance';
    setText(this.take, taken ? 'Ready' : 'Drain…');
    this.take.setAttribute('aria-label', `${taken ? 'Ready' : 'Drain'} ${backend.pool}/${backend.name}`);
    this.rest.setAttribute('aria-label', `Maintenance ${backend.pool}/${backend.name}`);
    this.rest.hidden = backend.state === 'maintenance' || !backend.in_configuration;
    this.take.hidden = !backend.in_configuration;
    this.showShedding(backend.shedding);
  }

  showProbe(backend, now) {
    const last = backend.health.last_probe;
    const ago = last ? `${duration(Math.max(0, (now - new Date(last.at)) / 1000))} ago` : '';
    const good = last && last.outcome === 'success';
    const why = backend.health.detail || (backend.resolved ? '' : `name does not resolve: ${backend.resolve_error}; the last address stays in use`) || (last && !good ? last.detail || last.outcome : '');
    setText(this.probe, why ? [why, ago].filter(Boolean).join(', ') : last ? `ok, ${ago}` : backend.state === 'checking' ? 'first probe awaited' : 'not probed');
    setClass(this.probe, why ? 'probe bad' : 'probe dim');
    this.probe.title = why;
  }

  showShedding(shedding) {
    this.shedding.hidden = !shedding;
    if (shedding) {
      this.progress.max = Math.max(1, shedding.planned);
      this.progress.value = shedding.closed;
      setText(this.shed, `${words(shedding.reason)}: ${count(shedding.closed)} of ${count(shedding.planned)} closed`);
    }
  }
}

function lastTransition(backend) {
  return backend.health.last_transition ? `; health last changed at ${backend.health.last_transition}` : '';
}

// The pools of which no backend takes connections: their clients are refused.
function deadPools(status) {
  return status.pools.filter(pool => !pool.takes_connections).map(pool => pool.name);
}

function addressLine(backend) {
  const marks = [backend.address];
  if (backend.resolved_address && backend.resolved_address !== backend.address) { marks.push(`→ ${backend.resolved_address}`); }
  if (backend.weight !== 100) { marks.push(`weight ${backend.weight}`); }
  if (backend.backup) { marks.push('backup'); }
  if (backend.packets) { marks.push(`${count(backend.packets.packets)} packets, ${bytes(backend.packets.bytes)}`); }
  if (!backend.in_configuration) { marks.push('removed from the configuration'); }
  return marks.join(' · ');
}

// columns of the table: class, title, sort key
const COLUMNS = [
  ['c-state', 'State', b => STATES.indexOf(b.state) * -1],
  ['c-name', 'Backend', b => b.name],
  ['c-connections', 'Connections, and fair share', b => b.connections],
  ['c-share number', 'Share', b => b.share_ratio || 0],
  ['c-new number', 'New/s', (b, s) => (s ? s.connects : 0)],
  ['c-traffic', 'Traffic', (b, s) => (s ? s.up + s.down : 0)],
  ['c-probe', 'Last probe', b => (b.health.last_probe ? b.health.last_probe.outcome : '')],
];

class PoolCard {
  constructor(name) {
    this.name = name;
    this.rows = new Map();
    this.sort = null;
    this.showAll = false;
    this.dead = element('span.chip.down', {}, 'no backend takes connections');
    this.stale = element('span.chip.degraded.doubt');
    this.facts = element('span.facts');
    this.rebalance = element('button.quiet', { type: 'button', onclick: () => (this.isRebalancing ? stopRebalance(name) : rebalance(name)) }, 'Rebalance…');
    this.heads = COLUMNS.map(([kind, title], column) => element(`div.${kind}`, { role: 'columnheader' },
      element('button', { type: 'button', onclick: () => this.sortBy(column) }, title)));
    this.list = element('div.rows', { role: 'table', 'aria-label': `Backends of pool ${name}` },
      element('div.row.head', { role: 'row' }, ...this.heads, element('div', { role: 'columnheader' })));
    this.more = element('button.more', { type: 'button', onclick: () => { this.showAll = true; this.again(); } });
    this.node = element('article.card.pool', { id: `pool-${name}`, tabindex: '-1' },
      element('header', {}, element('h2', {}, name), this.dead, this.stale, this.facts, this.rebalance),
      this.list, this.more);
  }

  sortBy(column) {
    const same = this.sort && this.sort.column === column;
    this.sort = same && this.sort.down ? null : { column, down: !!same };
    this.heads.forEach((head, i) => {
      head.setAttribute('aria-sort', this.sort && this.sort.column === i ? (this.sort.down ? 'descending' : 'ascending') : 'none');
    });
    this.again();
  }

  again() {
    if (this.last) {
      this.show(...this.last);
    }
  }

  // speeds: by backend key
  show(pool, backends, speeds, now, shown) {
    this.last = [pool, backends, speeds, now, shown];
    const total = backends.reduce((sum, b) => sum + b.connections, 0);
    const up = backends.filter(b => b.state === 'up').length;
    const running = pool && pool.rebalance;
    const progress = running ? ` · rebalance: ${count(running.closed)} of ${count(running.planned)} closed${running.closed >= running.planned ? ', clients return' : ''}` : '';
    setText(this.facts, `${pool ? `${pool.balance} · ` : ''}${up} of ${backends.length} up · ${count(total)} connections${sourceOf(pool)}${progress}`);
    setText(this.stale, doubtOf(pool));
    this.stale.hidden = !this.stale.textContent;
    const dead = !!pool && !pool.takes_connections;
    this.dead.hidden = !dead;
    this.node.classList.toggle('dead', dead);
    this.isRebalancing = !!running;
    setText(this.rebalance, running ? 'Stop rebalance' : 'Rebalance…');
    this.rebalance.setAttribute('aria-label', `${running ? 'Stop rebalance' : 'Rebalance'} ${this.name}`);
    const most = Math.max(...backends.map(b => b.connections), 1);
    let wanted = backends.filter(shown);
    if (this.sort) {
      const [, , key] = COLUMNS[this.sort.column];
      const value = b => key(b, speeds.get(keyOf(b)));
      wanted = wanted.toSorted((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (this.sort.down ? -1 : 1));
    }
    this.node.hidden = wanted.length === 0 && (backends.length > 0 || !pool?.discovery);
    const cut = this.showAll ? wanted : wanted.slice(0, SHOWN_AT_FIRST);
    this.more.hidden = cut.length === wanted.length;
    setText(this.more, `Show ${count(wanted.length - cut.length)} more`);
    this.list.classList.toggle('many', cut.length > SHOWN_AT_FIRST);
    this.place(cut);
    cut.forEach(b => this.rows.get(keyOf(b)).show(b, most, speeds.get(keyOf(b)), now));
  }

  // Rows are moved only if the order has changed, so that the focus is kept.
  place(backends) {
    const keys = new Set(backends.map(keyOf));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.node.remove();
        this.rows.delete(key);
      }
    }
    let before = this.list.firstElementChild;
    for (const backend of backends) {
      let row = this.rows.get(keyOf(backend));
      if (!row) {
        row = new BackendRow(backend);
        this.rows.set(keyOf(backend), row);
      }
      if (before.nextElementSibling !== row.node) {
        before.after(row.node);
      }
      before = row.node;
    }
  }
}

// Where the backends of a pool come from.
function sourceOf(pool) {
  const source = pool && pool.discovery;
  return source ? ` · ${source.source}: ${count(source.backends)}, ${duration(source.age_seconds)} ago` : '';
}

// What keeps the source of a pool from being followed at the moment.
function doubtOf(pool) {
  const source = pool && pool.discovery;
  return source && (source.warning || (source.held && `held for ${duration(source.held.since_seconds)}: only ${count(source.held.backends)} backends`)) || '';
}

function keyOf(backend) {
  return `${backend.pool}/${backend.name}/${backend.address}`;
}

const pools = {
  cards: new Map(),
  filter: { text: '', state: '' },

  // Whether this is the only backend of its pool that takes connections.
  isLast(backend) {
    return backend.takes_connections && !this.last[1].some(b => b.pool === backend.pool && b.takes_connections && b.name !== backend.name);
  },

  show(status, backends, speeds, now) {
    this.last = [status, backends, speeds, now];
    const byPool = Map.groupBy(backends, b => b.pool);
    for (const pool of status.pools.filter(p => p.discovery && !byPool.has(p.name))) {
      byPool.set(pool.name, []);
    }
    const list = document.getElementById('pool-list');
    for (const [name, card] of this.cards) {
      if (!byPool.has(name)) {
        card.node.remove();
        this.cards.delete(name);
      }
    }
    for (const [name, members] of byPool) {
      if (!this.cards.has(name)) {
        this.cards.set(name, new PoolCard(name));
        list.append(this.cards.get(name).node);
      }
      this.cards.get(name).show(status.pools.find(p => p.name === name), members, speeds, now, b => this.isShown(b));
    }
    this.showStates(backends);
  },

  isShown(backend) {
    const { text, state } = this.filter;
    return (!state || backend.state === state)
      && (!text || `${backend.pool}/${backend.name} ${backend.address}`.toLowerCase().includes(text));
  },

  showStates(backends) {
    const holder = document.getElementById('states');
    const counts = new Map(STATES.map(s => [s, 0]));
    backends.forEach(b => counts.set(b.state, counts.get(b.state) + 1));
    const offers = [['', `All ${count(backends.length)}`], ...STATES.filter(s => counts.get(s) > 0 || this.filter.state === s).map(s => [s, `${s} ${count(counts.get(s))}`])];
    if (holder.children.length !== offers.length || offers.some(([s], i) => holder.children[i].dataset.state !== s)) {
      holder.replaceChildren(...offers.map(([state]) =>
        element('button', { type: 'button', 'data-state': state, onclick: () => this.choose({ state }) })));
    }
    offers.forEach(([state, text], i) => {
      setText(holder.children[i], text);
      holder.children[i].setAttribute('aria-pressed', String(this.filter.state === state));
    });
  },

  choose(filter) {
    Object.assign(this.filter, filter);
    if (this.last) {
      this.show(...this.last);
    }
  },
};
