// Everything except backends: charts, capacity, reasons, events.

const overview = {
  start() {
    this.connections = new LineChart(document.getElementById('chart-connections'), 'Connections', ['open'], count);
    this.accepts = new LineChart(document.getElementById('chart-accepts'), 'New connections per second', ['accepted', 'refused'], rate);
    this.traffic = new LineChart(document.getElementById('chart-traffic'), 'Traffic per second', ['to clients', 'to backends'], bytes);
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
    const { status, time } = now;
    setText(document.getElementById('about'), `${status.version} · ${status.engine} · generation ${status.generation} · up ${duration(status.uptime_seconds)} · pid ${status.pid}`);
    const ready = document.getElementById('ready');
    setText(ready, status.ready ? 'ready' : 'draining');
    setClass(ready, `chip ${status.ready ? 'yes' : 'draining'}`);
    setText(document.getElementById('host'), status.host);
    const dead = deadPools(status);
    document.title = `${dead.length ? `▲ ${deadText(dead)} · ` : ''}${count(status.connections.active)} · ${status.host} · L4Balancer`;
    const mark = document.getElementById('dead');
    mark.hidden = dead.length === 0;
    if (dead.length) {
      setText(mark, deadText(dead));
      mark.setAttribute('href', `#pool-${dead[0]}`);
    }

    const open = status.connections;
    this.setValue(this.connections, count(open.active), `open, ${count(open.pending)} pending, limit ${count(open.limit)}`);
    this.connections.add(time, [open.active]);
    if (before) {
      const seconds = (time - before.time) / 1000;
      const per = key => Math.max(0, key(status) - key(before.status)) / seconds;
      const accepted = per(s => s.accepted);
      const refused = per(s => sum(s.refused));
      this.setValue(this.accepts, rate(accepted), refused > 0 ? `accepted, ${rate(refused)} refused` : 'accepted, none refused');
      this.accepts.add(time, [accepted, refused]);
      const [toClients, toBackends] = [per(s => s.bytes_to_client), per(s => s.bytes_to_backend)];
      this.setValue(this.traffic, `${bytes(toClients)}/s`, `to clients, ${bytes(toBackends)}/s to backends`);
      this.traffic.add(time, [toClients, toBackends]);
      this.showWorkers(status, before.status, seconds);
    }
    this.showRoom(now);
    this.showReasons(status);
    this.showListeners(status);
  },

  setValue(chart, value, note) {
    chart.value.replaceChildren(`${value} `, element('small', {}, note));
  },

  setTile(tile, value, small, share, note, warnAt = 0.7, badAt = 0.9) {
    tile.value.replaceChildren(`${value} `, element('small', {}, small));
    tile.meter.hidden = share === null;
    setStyle(tile.meter.firstChild, 'width', `${100 * Math.min(1, share || 0)}%`);
    setClass(tile.meter, share >= badAt ? 'meter bad' : share >= warnAt ? 'meter warn' : 'meter');
    setText(tile.note, note);
  },

  showRoom({ status, backends }) {
    const there = backends.filter(b => b.in_configuration);
    const up = there.filter(b => b.state === 'up').length;
    const others = STATES.slice(1).map(s => [s, there.filter(b => b.state === s).length]).filter(([, n]) => n > 0);
    this.setTile(this.backends, count(up), `of ${count(there.length)}`, there.length ? up / there.length : 0,
      others.map(([s, n]) => `${n} ${s}`).join(', ') || 'all', 2, 3);
    setClass(this.backends.meter, up === 0 ? 'meter bad none' : up < there.length ? 'meter warn' : 'meter');
    setClass(this.backends.value, up === 0 ? 'value bad' : 'value');

    const share = s => (s.limit ? s.in_use / s.limit : 0);
    const fullest = status.source_ports.reduce((worst, s) => (worst === null || share(s) > share(worst) ? s : worst), null);
    this.setTile(this.ports, fullest ? count(fullest.in_use) : 'none', fullest ? (fullest.limit ? `of ${count(fullest.limit)}` : '') : 'in use',
      fullest ? share(fullest) : 0, fullest ? `${fullest.source_ip} to ${fullest.destination}` : '');
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
        element('div', {}, element('span', {}, source.source_ip), element('span.dim', {}, `${count(source.in_use)}${source.limit ? ` of ${count(source.limit)}` : ''} to ${source.destination}`)),
        element(`div.meter${share >= 0.9 ? '.bad' : share >= 0.7 ? '.warn' : ''}`, {}, bar));
    }));
  },

  showReasons(status) {
    const rows = [
      ...Object.entries(status.refused).map(([reason, n]) => [reason, n, 'refused']),
      ...Object.entries(status.closed).map(([reason, n]) => [reason, n, 'closed']),
    ].filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, 12);
    const holder = document.querySelector('#reasons .reasons');
    holder.className = 'reasons list';
    holder.replaceChildren(...(rows.length
      ? rows.flatMap(([reason, n, kind]) => [element(kind === 'refused' ? 'span.bad' : 'span', {}, words(reason)), element('span.dim', {}, kind), element('span', {}, count(n))])
      : [element('span.dim', {}, 'no connection has ended yet')]));
  },

  showListeners(status) {
    const holder = document.querySelector('#listeners .listeners');
    holder.className = 'listeners list';
    holder.replaceChildren(...status.listeners.flatMap(l => [
      element('div', {}, element('div.name', {}, l.name), element('div.dim', {}, `${l.addresses.join(', ')} → ${l.pool}`)),
      element('span.dim', {}, l.packets ? `${count(l.packets.flows)} flows` : `${count(l.open)} open`),
      element('span', {}, l.packets ? l.packets.attachment || 'not attached' : `${count(l.accepted)} accepted`),
    ]));
  },

  showAges(ages) {
    const names = [...ages.bounds_seconds.map(duration), `>${duration(ages.bounds_seconds.at(-1))}`];
    drawBars(document.querySelector('#ages .bars'), names, ages.counts);
  },

  showEvents(events) {
    const list = document.querySelector('#events .events');
    for (const event of events) {
      list.prepend(element('li', {}, element('time', { datetime: event.at }, clock(new Date(event.at))), element(`span.${event.level}`, {}, event.text)));
    }
    while (list.children.length > 200) {
      list.lastElementChild.remove();
    }
    if (!list.children.length) {
      list.append(element('li', {}, element('span'), element('span.dim', {}, 'no events yet')));
    }
  },
};

function deadText(dead) {
  return dead.length === 1 ? `pool ${dead[0]} is dead` : `${dead.length} pools are dead`;
}

function sum(counts) {
  return Object.values(counts).reduce((total, n) => total + n, 0);
}
