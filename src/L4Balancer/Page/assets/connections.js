// The connections of one backend, in a dialog: listed when it is opened and on request, because a listing interrupts every event loop.

const LISTED = 100; // connections, the oldest first

const listing = {
  async open(backend) {
    this.backend = backend;
    setText(document.getElementById('connections-title'), `Connections of ${backend.pool}/${backend.name}`);
    document.getElementById('connections-again').onclick = () => this.load();
    this.show([], 'loading…');
    const closed = ask(document.getElementById('connections-dialog'));
    await this.load();
    await closed;
    this.backend = null;
  },

  async load() {
    const { backend } = this;
    try {
      const answer = await api.get(`/v1/connections?backend=${encodeURIComponent(`${backend.pool}/${backend.name}`)}&limit=${LISTED}`);
      if (this.backend === backend) {
        const { connections, total } = answer;
        this.show(connections, connections.length < total ? `the oldest ${count(connections.length)} of ${count(total)}` : `${count(total)} open`);
      }
    } catch (fault) {
      if (this.backend === backend) {
        this.show([], fault instanceof Refused ? fault.message : 'The daemon does not answer.');
      }
    }
  },

  // Columns of what was read are there only if something was.
  show(connections, note) {
    setText(document.getElementById('connections-note'), note);
    const columns = [
      ['Client', c => c.client],
      ['Listener', c => c.listener],
      ['Route', routeOf, c => c.route],
      ['Name or key', nameOf, nameOf],
      ['Age', c => duration(c.age_seconds)],
      ['Idle', c => duration(c.idle_seconds)],
      ['To backend', c => bytes(c.bytes_to_backend)],
      ['To client', c => bytes(c.bytes_to_client)],
    ].filter(([, , isRead]) => !isRead || connections.some(isRead));
    const table = document.getElementById('connections-table');
    table.hidden = connections.length === 0;
    table.replaceChildren(
      element('thead', {}, element('tr', {}, ...columns.map(([title]) => element('th', { scope: 'col' }, title)))),
      element('tbody', {}, ...connections.map(c => element('tr', {}, ...columns.map(([, text]) => element('td', {}, element('bdi', {}, text(c) || '–')))))));
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
