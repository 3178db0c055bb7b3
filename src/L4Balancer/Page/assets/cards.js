// Pools: a card for each, with its rows, what is selected in it, and whether it is folded.

const SHOWN_AT_FIRST = 100; // rows per pool; the others are created on demand, so that a pool of a thousand backends stays cheap
const FOLDED_ON_PHONES = 4; // backends: a larger pool without trouble is folded there

const isPhone = window.matchMedia('(max-width: 760px)');

// columns of the table: class, title, sort key
const COLUMNS = [
  ['c-state', 'State', b => STATES.indexOf(b.state) * -1],
  ['c-name', 'Backend', b => b.name],
  ['c-connections', 'Connections, and fair share', b => b.connections],
  ['c-share number', 'Share', b => b.share_ratio || 0],
  ['c-new number', 'New/s', (b, s) => (s ? s.connects : 0)],
  ['c-traffic', 'Traffic', (b, s) => (s ? s.up + s.down + s.packetBytes : 0)],
  ['c-probe', 'Last probe', b => (b.health.last_probe ? b.health.last_probe.outcome : '')],
];

class PoolCard {
  constructor(name) {
    this.name = name;
    this.rows = new Map();
    this.selected = new Set();
    this.sort = null;
    this.showAll = false;
    this.folded = null; // until somebody folds or unfolds it
    const act = (text, on) => element('button.quiet', { type: 'button', 'data-acts': '', onclick: on }, text);
    this.fold = element('button.fold', { type: 'button', 'aria-controls': `rows-${name}`, onclick: () => this.again({ folded: !this.isFolded }) }, name);
    this.dead = element('span.chip.down', {}, 'no backend takes connections');
    this.stale = element('span.chip.degraded.doubt');
    this.facts = element('span.facts');
    this.rebalance = act('Rebalance…', () => (this.isRebalancing ? stopRebalance(name) : rebalance(name)));
    this.heads = COLUMNS.map(([kind, title], column) => element(`div.${kind.replace(' ', '.')}`, { role: 'columnheader' },
      element('button', { type: 'button', onclick: () => this.sortBy(column) }, title)));
    this.all = element('input', { type: 'checkbox', 'aria-label': `Select all backends of ${name} that are shown`, onchange: () => this.selectAll(this.all.checked) });
    this.list = element('div.rows', { role: 'table', 'aria-label': `Backends of pool ${name}` },
      element('div.row.head', { role: 'row' }, element('div.c-select', { role: 'columnheader' }, this.all), ...this.heads,
        element('div.c-actions', { role: 'columnheader' }, element('span.hush', {}, 'Actions'))));
    this.more = element('button.more', { type: 'button', onclick: () => this.again({ showAll: true }) });
    this.picked = element('span');
    this.bulk = element('div.bulk', { role: 'group', 'aria-label': `What is selected of ${name}` }, this.picked,
      act('Drain…', () => drain(this.chosen())), act('Maintenance…', () => maintain(this.chosen())), act('Ready', () => setModes(this.chosen(), 'ready')),
      element('button.quiet', { type: 'button', onclick: () => this.selectAll(true) }, 'Select all'),
      element('button.quiet', { type: 'button', onclick: () => this.selectAll(false) }, 'Select none'));
    this.order = element('select', { onchange: () => this.sortBy(Number(this.order.value), true) }, element('option', { value: '-1' }, 'trouble first'),
      ...COLUMNS.map(([, title], i) => element('option', { value: i }, title.split(',')[0].toLowerCase())));
    this.body = element('div', { id: `rows-${name}` }, element('label.order', {}, 'Order ', this.order), this.bulk, this.list, this.more);
    this.node = element('article.card.pool', { id: `pool-${name}`, tabindex: '-1', 'aria-label': `Pool ${name}` },
      element('header', {}, element('h2', {}, this.fold), this.dead, this.stale, this.facts, this.rebalance), this.body);
  }

  // A first click sorts ascending, a second one descending, a third one as usual. From the list of a phone: numbers descending.
  sortBy(column, fromList = false) {
    const same = this.sort && this.sort.column === column;
    this.sort = fromList ? (column < 0 ? null : { column, down: column > 1 }) : same && this.sort.down ? null : { column, down: !!same };
    this.heads.forEach((head, i) => {
      head.setAttribute('aria-sort', this.sort && this.sort.column === i ? (this.sort.down ? 'descending' : 'ascending') : 'none');
    });
    this.order.value = this.sort ? this.sort.column : -1;
    this.again();
  }

  // Shows what was shown last, with these of its settings changed.
  again(settings = {}) {
    Object.assign(this, settings);
    if (this.last) {
      this.show(...this.last);
      keyboard.mend();
    }
  }

  selectOne(backend, isSelected) {
    this.selected[isSelected ? 'add' : 'delete'](keyOf(backend));
    this.again();
  }

  selectAll(isSelected) {
    this.selected = new Set(isSelected ? this.wanted.filter(b => b.in_configuration).map(keyOf) : []);
    this.again();
  }

  chosen() {
    return this.last[1].filter(b => this.selected.has(keyOf(b)));
  }

  // speeds: by backend key; filter: what was searched for
  show(pool, backends, speeds, now, filter) {
    this.last = [pool, backends, speeds, now, filter];
    const isDead = !!pool && !pool.takes_connections;
    this.wanted = this.inOrder(backends.filter(filter.fits), speeds);
    this.node.hidden = this.wanted.length === 0 && (backends.length > 0 || !pool?.discovery);
    this.showHead(pool, backends, isDead);
    const isTroubled = isDead || backends.some(b => BROKEN.includes(b.state));
    this.isFolded = !filter.isOn && (this.folded ?? (isPhone.matches && !isTroubled && backends.length > FOLDED_ON_PHONES));
    this.fold.setAttribute('aria-expanded', String(!this.isFolded));
    this.body.hidden = this.isFolded;
    if (!this.isFolded) {
      this.showRows(backends, speeds, now);
    }
  }

  showHead(pool, backends, isDead) {
    const total = backends.reduce((sum, b) => sum + b.connections, 0);
    const up = backends.filter(b => b.state === 'up').length;
    const running = pool && pool.rebalance;
    const isOfPackets = backends.length > 0 && backends.every(sendsPackets);
    this.rebalance.hidden = isOfPackets && !running;
    const progress = running ? ` · rebalance: ${count(running.closed)} of ${count(running.planned)} closed${running.closed >= running.planned ? ', clients return' : ''}` : '';
    setText(this.facts, `${pool ? `${pool.balance} · ` : ''}${up} of ${backends.length} up · ${isOfPackets ? 'packets' : `${count(total)} connections`}${sourceOf(pool)}${progress}`);
    setText(this.stale, doubtOf(pool));
    this.stale.hidden = !this.stale.textContent;
    this.dead.hidden = !isDead;
    this.node.classList.toggle('dead', isDead);
    this.isRebalancing = !!running;
    setText(this.rebalance, running ? 'Stop rebalance' : 'Rebalance…');
    this.rebalance.setAttribute('aria-label', `${running ? 'Stop rebalance' : 'Rebalance'} ${this.name}`);
  }

  showRows(backends, speeds, now) {
    this.selected = new Set(backends.map(keyOf).filter(key => this.selected.has(key)));
    this.bulk.hidden = this.selected.size === 0;
    setText(this.picked, `${count(this.selected.size)} selected`);
    this.all.checked = this.selected.size > 0 && this.wanted.every(b => this.selected.has(keyOf(b)) || !b.in_configuration);
    this.all.indeterminate = this.selected.size > 0 && !this.all.checked;
    const most = Math.max(...backends.map(b => b.connections), 1);
    const cut = this.showAll ? this.wanted : this.wanted.slice(0, SHOWN_AT_FIRST);
    this.more.hidden = cut.length === this.wanted.length;
    setText(this.more, `Show ${count(this.wanted.length - cut.length)} more`);
    this.list.classList.toggle('many', cut.length > SHOWN_AT_FIRST);
    keyboard.keep(() => this.place(cut));
    cut.forEach(b => this.rows.get(keyOf(b)).show(b, most, speeds.get(keyOf(b)), now, this.selected.has(keyOf(b))));
  }

  // Without a column: as in the configuration, but what is broken first.
  inOrder(backends, speeds) {
    const rank = b => (BROKEN.includes(b.state) ? BROKEN.indexOf(b.state) : BROKEN.length);
    if (!this.sort) {
      return backends.toSorted((a, b) => rank(a) - rank(b));
    }
    const [, , key] = COLUMNS[this.sort.column];
    const value = b => key(b, speeds.get(keyOf(b)));
    return backends.toSorted((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (this.sort.down ? -1 : 1));
  }

  // Rows are moved only if the order has changed.
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
        row = new BackendRow(backend, this);
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
