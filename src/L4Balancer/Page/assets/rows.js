// Backends: one row for each, created once and updated in place.

const STATES = ['up', 'degraded', 'down', 'draining', 'maintenance', 'checking'];
const BROKEN = ['down', 'degraded'];

class BackendRow {
  constructor(backend, card) {
    const button = (text, act) => element('button.quiet', { type: 'button', 'data-acts': '', onclick: () => act() }, text);
    this.select = element('input', { type: 'checkbox', onchange: () => card.selectOne(this.backend, this.select.checked) });
    this.state = element('span.chip');
    this.since = element('div.since.dim');
    this.name = element('div.name');
    this.address = element('div.dim');
    this.connections = element('button.quiet.number', { type: 'button', onclick: () => listing.open(this.backend) });
    this.bar = element('i');
    this.fair = element('b');
    this.measured = element('div.share', {}, this.connections, element('div.track', {}, this.bar, this.fair));
    this.sent = element('div.dim');
    this.share = element('span');
    this.news = element('span');
    this.up = element('div');
    this.down = element('div');
    this.probe = element('div.probe');
    this.take = button('Drain…', () => this.toggle());
    this.rest = button('Maintenance', () => maintain([this.backend]));
    this.weight = button('Weight…', () => weigh(this.backend));
    this.progress = element('progress', { max: 1, value: 0, 'aria-label': `Connections of ${titleOf(backend)} closed` });
    this.shed = element('span');
    this.shedding = element('div.shedding', { role: 'cell' }, this.progress, this.shed);
    this.shedding.hidden = true;
    const cell = (kind, ...children) => element(kind, { role: 'cell' }, ...children);
    this.node = element('div.row', { role: 'row', id: `backend-${titleOf(backend)}` },
      cell('div.c-select', this.select),
      cell('div.c-state', this.state, this.since),
      cell('div.c-name', this.name, this.address),
      cell('div.c-connections', this.measured, this.sent),
      cell('div.c-share.number', this.share),
      cell('div.c-new.number', this.news),
      cell('div.c-traffic.traffic', this.up, this.down),
      cell('div.c-probe', this.probe),
      cell('div.c-actions.actions', this.take, this.rest, this.weight),
      this.shedding);
    setText(this.name, backend.name);
    this.select.setAttribute('aria-label', `Select ${titleOf(backend)}`);
    this.rest.setAttribute('aria-label', `Maintenance ${titleOf(backend)}`);
    this.weight.setAttribute('aria-label', `Weight of ${titleOf(backend)}`);
  }

  toggle() {
    return this.isTaken() ? setModes([this.backend], 'ready') : drain([this.backend]);
  }

  isTaken() {
    return this.backend.state === 'draining' || this.backend.state === 'maintenance';
  }

  // most: connections of the fullest backend of the pool; speed: rates since the previous poll, null at the first
  show(backend, most, speed, now, isSelected) {
    this.backend = backend;
    this.select.checked = isSelected;
    this.node.classList.toggle('selected', isSelected);
    setText(this.state, backend.state);
    setClass(this.state, `chip ${backend.state}`);
    const since = backend.since ? new Date(backend.since) : null;
    setText(this.since, since ? `for ${duration(Math.max(0, backend.state_seconds))}` : '');
    this.since.title = since ? `since ${since.toISOString()}${lastTransition(backend)}` : '';
    setText(this.address, addressLine(backend));
    const isOfPackets = sendsPackets(backend);
    this.measured.hidden = isOfPackets;
    this.sent.hidden = !isOfPackets;
    setText(this.sent, isOfPackets ? `${count(backend.packets.packets)} packets, ${bytes(backend.packets.bytes)}` : '');
    setText(this.connections, count(backend.connections));
    this.connections.setAttribute('aria-label', `${count(backend.connections)} connections of ${titleOf(backend)}`);
    const fair = backend.share_ratio ? backend.connections / backend.share_ratio : null;
    const scale = Math.max(most, fair || 0, 1);
    setStyle(this.bar, 'width', `${100 * backend.connections / scale}%`);
    this.fair.hidden = fair === null;
    setStyle(this.fair, 'left', fair === null ? '0' : `${Math.min(99.5, 100 * fair / scale)}%`);
    this.fair.title = fair === null ? '' : `fair share: ${count(fair)}`;
    setText(this.share, backend.share_ratio === null || isOfPackets ? '' : `${backend.share_ratio.toFixed(2)}×`);
    setText(this.news, speed && !isOfPackets ? rate(speed.connects) : '');
    setText(this.up, !speed ? '' : isOfPackets ? `↑ ${rate(speed.packets)} pkt/s` : `↑ ${bytes(speed.up)}/s`);
    setText(this.down, !speed ? '' : isOfPackets ? `↑ ${bytes(speed.packetBytes)}/s` : `↓ ${bytes(speed.down)}/s`);
    this.showProbe(backend, now);
    this.showActions(backend);
    this.showShedding(backend.shedding);
  }

  showActions(backend) {
    setText(this.take, this.isTaken() ? 'Ready' : 'Drain…');
    this.take.setAttribute('aria-label', `${this.isTaken() ? 'Ready' : 'Drain'} ${titleOf(backend)}`);
    this.rest.hidden = backend.state === 'maintenance' || !backend.in_configuration;
    this.take.hidden = !backend.in_configuration;
    this.weight.hidden = !backend.in_configuration;
    this.select.disabled = !backend.in_configuration;
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

function addressLine(backend) {
  const marks = [backend.address];
  if (backend.resolved_address && backend.resolved_address !== backend.address) { marks.push(`→ ${backend.resolved_address}`); }
  if (backend.weight !== 100 || backend.weight_set) { marks.push(`weight ${backend.weight}${backend.weight_set ? ' (set at run time)' : ''}`); }
  if (backend.backup) { marks.push('backup'); }
  if (backend.packets && !sendsPackets(backend)) { marks.push(`${count(backend.packets.packets)} packets, ${bytes(backend.packets.bytes)}`); }
  if (!backend.in_configuration) { marks.push('removed from the configuration'); }
  return marks.join(' · ');
}

// Of packet listeners alone: nobody sees their connections.
function sendsPackets(backend) {
  return !!backend.packets && backend.connections === 0;
}

function keyOf(backend) {
  return `${backend.pool}/${backend.name}/${backend.address}`;
}
