// All pools: dead ones first, then those with a broken backend; and the filter over all of them.

const pools = {
  cards: new Map(),
  filter: { text: '', state: '' },

  // Whether none but these backends of a pool takes connections, and one of them does.
  areLast(backends) {
    const names = new Set(backends.map(b => b.name));
    return backends.some(b => b.takes_connections) && !this.last[1].some(b => b.pool === backends[0].pool && b.takes_connections && !names.has(b.name));
  },

  show(status, backends, speeds, now) {
    this.last = [status, backends, speeds, now];
    const byPool = Map.groupBy(backends, b => b.pool);
    for (const pool of status.pools.filter(p => p.discovery && !byPool.has(p.name))) {
      byPool.set(pool.name, []);
    }
    for (const [name, card] of this.cards) {
      if (!byPool.has(name)) {
        card.node.remove();
        this.cards.delete(name);
      }
    }
    const found = new Map(status.pools.map(p => [p.name, p]));
    const rank = ([name, members]) => (found.has(name) && !found.get(name).takes_connections ? 0 : members.some(b => BROKEN.includes(b.state)) ? 1 : 2);
    const inOrder = [...byPool].toSorted((a, b) => rank(a) - rank(b));
    keyboard.keep(() => this.place(inOrder.map(([name]) => name)));
    const { text, state } = this.filter;
    const filter = { isOn: !!(text || state), fits: b => this.isShown(b) };
    for (const [name, members] of inOrder) {
      this.cards.get(name).show(found.get(name), members, speeds, now, filter);
    }
    document.getElementById('nothing').hidden = !filter.isOn || backends.some(filter.fits);
    this.showStates(backends);
  },

  place(names) {
    let before = document.getElementById('nothing');
    for (const name of names) {
      if (!this.cards.has(name)) {
        this.cards.set(name, new PoolCard(name));
      }
      const { node } = this.cards.get(name);
      if (before.nextElementSibling !== node) {
        before.after(node);
      }
      before = node;
    }
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
      keyboard.keep(() => holder.replaceChildren(...offers.map(([state]) => [...holder.children].find(b => b.dataset.state === state)
        || element('button', { type: 'button', 'data-state': state, onclick: () => this.choose({ state }) }))));
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

  // One backend by itself, or all of one state of a pool, as the list of what is wrong leads to it.
  lead(pool, text, state = '') {
    document.getElementById('search').value = text;
    this.choose({ text: text.toLowerCase(), state });
    const { node } = this.cards.get(pool);
    node.scrollIntoView({ block: 'start' });
    node.focus({ preventScroll: true });
  },
};
