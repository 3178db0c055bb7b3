// What happened: the latest lines of the log, under the day they are of, with a filter.

const KEPT = 200; // events

const events = {
  last: 0,
  lines: [],
  level: '',
  text: '',

  start() {
    setText(document.getElementById('events-zone'), `Times are those of this browser, ${zone()}.`);
    document.getElementById('events-level').addEventListener('change', event => this.choose({ level: event.target.value }));
    document.getElementById('events-text').addEventListener('input', event => this.choose({ text: event.target.value.trim().toLowerCase() }));
  },

  choose(filter) {
    Object.assign(this, filter);
    this.draw();
  },

  restart() {
    this.last = 0;
  },

  async read() {
    const { events: found } = await api.get(`/v1/events?after=${this.last}`);
    if (found.length) {
      this.last = found.at(-1).number;
      this.lines = [...found.toReversed(), ...this.lines].slice(0, KEPT);
      this.draw();
    } else if (this.lines.length === 0) {
      this.draw();
    }
  },

  draw() {
    const shown = this.lines.filter(e => (!this.level || e.level === 'error' || e.level === this.level) && (!this.text || e.text.toLowerCase().includes(this.text)));
    const list = document.querySelector('#events .events');
    const items = [];
    let under = '';
    for (const event of shown) {
      const at = new Date(event.at);
      if (day(at) !== under) {
        under = day(at);
        items.push(element('li.day', {}, under));
      }
      items.push(element('li', {}, element('time', { datetime: event.at, title: event.at }, clock(at)),
        element(`span.level.${event.level}`, {}, event.level === 'info' ? '' : event.level), element(`span.${event.level}`, {}, event.text)));
    }
    list.replaceChildren(...(items.length ? items : [element('li.day', {}, this.lines.length ? 'no event fits' : 'no events yet')]));
  },
};
