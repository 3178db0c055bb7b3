// The connections, in a dialog: listed when it is opened and on request, because a listing interrupts every event loop.

const LISTED = 100; // connections

const listing = {
  start() {
    const form = document.getElementById('connections-filter');
    form.addEventListener('submit', event => {
      event.preventDefault();
      this.load();
    });
    document.getElementById('connections-close').addEventListener('click', () => this.closeAll());
    document.getElementById('all-connections').addEventListener('click', () => this.open(null));
  },

  // backend: whose connections, or null for those of all
  async open(backend) {
    setText(document.getElementById('connections-title'), backend ? `Connections of ${titleOf(backend)}` : 'Connections');
    document.getElementById('listing-backend').value = backend ? titleOf(backend) : '';
    document.getElementById('listing-source').value = '';
    this.offer();
    this.show([], 'loading…');
    const closed = ask(document.getElementById('connections-dialog'));
    await this.load();
    await closed;
    this.filter = null;
  },

  offer() {
    const [, backends] = pools.last || [null, []];
    document.getElementById('backend-names').replaceChildren(...backends.map(b => element('option', { value: titleOf(b) })));
  },

  async load() {
    const filter = Object.fromEntries(['backend', 'source'].map(name => [name, document.getElementById(`listing-${name}`).value.trim()]).filter(([, v]) => v));
    this.filter = filter;
    const sort = document.getElementById('listing-sort').value;
    try {
      const answer = await api.get(`/v1/connections?${new URLSearchParams({ ...filter, sort, limit: LISTED })}`);
      if (this.filter === filter) {
        const { connections, total } = answer;
        const first = { age: 'the oldest', idle: 'the most idle', bytes: 'the busiest' }[sort];
        this.show(connections, connections.length < total ? `${first} ${count(connections.length)} of ${count(total)}` : `${count(total)} open`);
      }
    } catch (fault) {
      if (this.filter === filter) {
        this.show([], fault instanceof Refused ? fault.message : 'The daemon does not answer.');
      }
    }
  },

  // Columns of what was read are there only if something was, and that of the backend only if there are several.
  show(connections, note) {
    setText(document.getElementById('connections-note'), note);
    const isOfOne = !!this.filter?.backend;
    const columns = [
      ['Client', c => c.client],
      ['Listener', c => c.listener],
      ['Backend', c => (c.backend ? `${c.pool}/${c.backend}` : ''), () => !isOfOne],
      ['Route', routeOf, c => c.route],
      ['Name or key', nameOf, nameOf],
      ['Age', c => duration(c.age_seconds)],
      ['Idle', c => duration(c.idle_seconds)],
      ['To backend', c => bytes(c.bytes_to_backend)],
      ['To client', c => bytes(c.bytes_to_client)],
    ].filter(([, , isRead]) => !isRead || connections.some(isRead));
    const table = document.getElementById('connections-table');
    table.hidden = connections.length === 0;
    document.getElementById('connections-close').hidden = connections.length === 0 || Object.keys(this.filter || {}).length === 0;
    const row = c => element('tr', {}, ...columns.map(([, text]) => element('td', {}, element('bdi', {}, text(c) || '–'))), element('td', {}, this.closeButton(c)));
    table.replaceChildren(
      element('thead', {}, element('tr', {}, ...columns.map(([title]) => element('th', { scope: 'col' }, title)), element('td'))),
      element('tbody', {}, ...connections.map(row)));
  },

  closeButton(connection) {
    const button = element('button.quiet', { type: 'button', 'data-acts': '', 'aria-label': `Close the connection of ${connection.client}` }, 'Close');
    button.addEventListener('click', async () => {
      if (button.getAttribute('aria-disabled') !== 'true' && await send('DELETE', `/v1/connections/${connection.id}`)) {
        button.setAttribute('aria-disabled', 'true');
        setText(button, 'closing…');
      }
    });
    return button;
  },

  async closeAll() {
    const { filter } = this;
    const what = Object.entries(filter).map(([name, value]) => `${name} ${value}`).join(', ');
    if (await confirmed('Close connections', `Every established connection of ${what} is closed, at the pace of close_rate. This cannot be undone.`, 'Close all')) {
      const answer = await send('DELETE', `/v1/connections?${new URLSearchParams(filter)}`);
      if (answer) {
        toast(`${count(answer.connections)} connections are being closed`);
        await this.load();
      }
    }
  },
};

function routeOf(connection) {
  return connection.rule ? `${connection.route}: ${connection.rule}` : connection.route;
}

// What the client asked for, as the command `connections` shows it.
function nameOf(connection) {
  return visible(connection.key || connection.sni || connection.host || '');
}

// A client chooses this text: characters that reorder or hide what is around them become question marks.
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
