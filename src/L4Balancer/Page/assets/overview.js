// Everything except backends: figures, capacity, reasons, listeners.

const overview = {
  start() {
    for (const [name, title] of [['backends', 'Backends up'], ['ports', 'Source ports, fullest destination'], ['descriptors', 'File descriptors'], ['workers', 'Busiest event loop']]) {
      const meter = element('div.meter', {}, element('i'));
      const value = element('div.value');
      const note = element('div.note');
      document.getElementById(`tile-${name}`).append(element('h2', {}, title), value, meter, note);
      this[name] = { value, meter, note };
    }
  },

  // before: the result of the previous poll, or null
  show(now, before) {
    const { status } = now;
    this.showWho(status);
    const open = status.connections;
    this.setValue(recorded.connections, count(open.active), 'open', `${count(open.pending)} pending, limit ${count(open.limit)}`);
    const there = now.backends.filter(b => b.in_configuration);
    this.setValue(recorded.up, count(there.filter(b => b.state === 'up').length), 'up', `of ${count(there.length)} in the configuration`);
    if (before) {
      const seconds = (now.tick - before.tick) / 1000;
      const per = key => Math.max(0, key(status) - key(before.status)) / seconds;
      const refused = per(s => sum(s.refused));
      this.setValue(recorded.accepts, rate(per(s => s.accepted)), 'accepted', refused > 0 ? `${rate(refused)} refused` : 'none refused');
      this.setValue(recorded.traffic, `${bytes(per(s => s.bytes_to_client))}/s`, 'to clients', `${bytes(per(s => s.bytes_to_backend))}/s to backends`);
      this.showWorkers(status, before.status, seconds);
    }
    this.showRoom(now, there);
    this.showReasons(status);
    this.showListeners(status);
  },

  showWho(status) {
    const fleet = status.fleet ? `fleet ${status.fleet.name}, ${status.fleet.members === 1 ? 'one balancer' : `${count(status.fleet.members)} balancers`} · ` : '';
    setText(document.getElementById('host'), status.host);
    setText(document.getElementById('about'), `${fleet}${status.version} · ${status.engine} · up ${duration(status.uptime_seconds)} · generation ${status.generation} · pid ${status.pid}`);
    const dead = deadPools(status);
    const mark = document.getElementById('dead');
    mark.hidden = dead.length === 0;
    if (dead.length) {
      setText(mark, deadText(dead));
      mark.setAttribute('href', `#pool-${dead[0]}`);
    }
  },

  setValue(chart, value, what, note) {
    chart.value.replaceChildren(`${value} `, element('small', {}, what));
    setText(chart.note, note);
  },

  setTile(tile, value, small, share, note, warnAt = 0.7, badAt = 0.9) {
    tile.value.replaceChildren(`${value} `, element('small', {}, small));
    tile.meter.hidden = share === null;
    setStyle(tile.meter.firstChild, 'width', `${100 * Math.min(1, share || 0)}%`);
    setClass(tile.meter, share >= badAt ? 'meter bad' : share >= warnAt ? 'meter warn' : 'meter');
    setText(tile.note, note);
  },

  showRoom({ status }, there) {
    const up = there.filter(b => b.state === 'up').length;
    const others = STATES.slice(1).map(s => [s, there.filter(b => b.state === s).length]).filter(([, n]) => n > 0);
    this.setTile(this.backends, count(up), `of ${count(there.length)}`, there.length ? up / there.length : 0,
      others.map(([s, n]) => `${n} ${s}`).join(', ') || 'all', 2, 3);
    setClass(this.backends.meter, up === 0 ? 'meter bad none' : up < there.length ? 'meter warn' : 'meter');
    setClass(this.backends.value, up === 0 ? 'value bad' : 'value');

    const share = s => (s.limit ? s.in_use / s.limit : 0);
    const fullest = status.source_ports.reduce((worst, s) => (worst === null || share(s) > share(worst) ? s : worst), null);
    this.setTile(this.ports, fullest ? count(fullest.in_use) : 'none', fullest ? (fullest.limit ? `of ${count(fullest.limit)}` : '') : 'in use',
      fullest ? share(fullest) : 0, fullest ? `${sourceName(fullest)} to ${fullest.destination}` : '');
    this.showSources(status.source_ports);

    const { open, limit } = status.descriptors;
    this.setTile(this.descriptors, open === null ? '?' : count(open), limit ? `of ${count(limit)}` : '', limit ? open / limit : 0, 'two per connection');
  },

  showWorkers(status, before, seconds) {
    const busy = status.workers.map(w => {
      const was = before.workers.find(b => b.worker === w.worker);
      return was ? Math.max(0, w.cpu_seconds - was.cpu_seconds) / seconds : 0;
    });
    const most = busy.length ? Math.max(...busy) : null;
    this.setTile(this.workers, most === null ? 'none' : percent(Math.min(1, most)), most === null ? '' : 'of a processor', most,
      most === null ? 'this engine has no event loops' : `${busy.length} event loop${busy.length > 1 ? 's' : ''}`);
  },

  showSources(sources) {
    const holder = document.querySelector('#sources .sources');
    document.getElementById('sources').hidden = sources.length === 0;
    holder.replaceChildren(...sources.map(source => {
      const share = source.limit ? source.in_use / source.limit : 0;
      const bar = element('i');
      setStyle(bar, 'width', `${100 * Math.min(1, share)}%`);
      return element('div.source', {},
        element('div', {}, element('span', {}, sourceName(source)), element('span.dim', {}, `${count(source.in_use)}${source.limit ? ` of ${count(source.limit)}` : ''} to ${source.destination}`)),
        element(`div.meter${share >= 0.9 ? '.bad' : share >= 0.7 ? '.warn' : ''}`, {}, bar));
    }));
  },

  showReasons(status) {
    const rows = [
      ...Object.entries(status.refused).map(([reason, n]) => [reason, n, 'refused']),
      ...Object.entries(status.closed).map(([reason, n]) => [reason, n, 'closed']),
    ].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, 12);
    const holder = document.querySelector('#reasons .reasons');
    holder.className = rows.length ? 'reasons list' : 'reasons';
    holder.replaceChildren(...(rows.length
      ? rows.flatMap(([reason, n, kind]) => [element(kind === 'refused' ? 'span.bad' : 'span', {}, words(reason)), element('span.dim', {}, kind), element('span', {}, count(n))])
      : [element('span.dim', {}, 'no connection has ended yet')]));
  },

  showListeners(status) {
    const holder = document.querySelector('#listeners .listeners');
    holder.replaceChildren(...status.listeners.map(l => element('div.listener', {},
      element('div', {}, element('span.name', {}, l.name), element('span.dim', {}, l.packets ? `${count(l.packets.flows)} flows, ${l.packets.attachment || 'not attached'}` : `${count(l.open)} open, ${count(l.accepted)} accepted`)),
      element('div.dim', {}, ...(l.addresses.length ? l.addresses.flatMap(a => [element('bdi', {}, a), ' ']) : ['not listening ']), `→ ${l.pool}`))));
    const dropped = Object.entries(status.packets_dropped || {}).filter(([, n]) => n > 0);
    if (dropped.length) {
      holder.append(element('div.dim', {}, `packets dropped: ${dropped.map(([reason, n]) => `${words(reason)} ${count(n)}`).join(', ')}`));
    }
  },

  showAges(ages) {
    const names = [...ages.bounds_seconds.map(duration), `>${duration(ages.bounds_seconds.at(-1))}`];
    drawBars(document.querySelector('#ages .bars'), names, ages.counts);
  },
};

// `auto`: the kernel chooses the address.
function sourceName(source) {
  return source.source_ip === 'auto' ? 'any address (the kernel chooses)' : source.source_ip;
}

function sum(counts) {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}
