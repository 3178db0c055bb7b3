// The history that the daemon keeps: read whole when the page opens, and what is newer afterwards.

const recorded = {
  samples: [],
  last: 0,
  interval: 5000,
  minutes: 15,
  charts: [],

  start() {
    const chart = (name, title, lines, format) => {
      this[name] = new LineChart(document.getElementById(`chart-${name}`), title, lines, format);
      this.charts.push(this[name]);
    };
    chart('connections', 'Connections', [['open', 'active']], count);
    chart('accepts', 'New connections per second', [['accepted', 'accepted_per_second'], ['refused', 'refused_per_second']], rate);
    chart('traffic', 'Traffic per second', [['to clients', 'bytes_to_client_per_second'], ['to backends', 'bytes_to_backend_per_second']], bytes);
    chart('up', 'Backends', [['up', 'up'], ['all', 'backends']], count);
    this.minutes = Number(localStorage.getItem('minutes')) || this.minutes;
    for (const button of document.querySelectorAll('#ranges button')) {
      button.addEventListener('click', () => {
        this.minutes = Number(button.dataset.minutes);
        localStorage.setItem('minutes', this.minutes);
        this.draw();
      });
    }
  },

  // Of another process: what the one before has recorded stays in the charts of this tab, with a gap.
  restart() {
    this.last = 0;
  },

  async read() {
    const answer = await api.get(`/v1/history?after=${this.last}`);
    const { interval_seconds: seconds, last, ...columns } = answer;
    const samples = columns.at.map((_, i) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]])));
    [this.last, this.interval] = [last, seconds * 1000];
    for (const sample of samples) {
      // One that is read again, or of before the daemon's clock was set back.
      while (this.samples.length && this.samples.at(-1).at >= sample.at) {
        this.samples.pop();
      }
      this.samples.push(sample);
    }
    this.samples.splice(0, Math.max(0, this.samples.length - 720));
    this.draw();
  },

  draw() {
    for (const button of document.querySelectorAll('#ranges button')) {
      button.setAttribute('aria-pressed', String(Number(button.dataset.minutes) === this.minutes));
    }
    // The daemon's clock, which need not agree with that of the browser.
    const until = this.samples.length ? this.samples.at(-1).at : Date.now();
    this.charts.forEach(chart => chart.draw(this.samples, until - this.minutes * 60000, until, 3 * this.interval));
  },

  // The mean over the last minute.
  lately(key) {
    const values = this.samples.slice(-12).map(s => s[key]);
    return values.length ? values.reduce((total, v) => total + v, 0) / values.length : 0;
  },
};
