// Line charts over the history that the daemon keeps, and bar charts.

const WIDE = 300; // units of the picture; it is stretched to the width of the card
const HIGH = 84;

function svg(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

class LineChart {
  // lines: [name, key of the history] of one or two lines; format: formats a value
  constructor(figure, title, lines, format) {
    this.title = title;
    this.sources = lines;
    this.format = format;
    this.points = [];
    this.value = element('div.value');
    this.note = element('div.note');
    this.fill = svg('path', { class: 'fill' });
    this.lines = lines.map((_, i) => svg('path', { class: 'ab'[i] }));
    this.grid = svg('path', { class: 'grid' });
    this.cross = svg('path', { class: 'at', visibility: 'hidden' });
    this.picture = svg('svg', { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: 'none', role: 'img' },
      this.grid, this.fill, ...this.lines, this.cross);
    this.picture.addEventListener('pointermove', event => this.pointAt(event));
    this.picture.addEventListener('pointerleave', () => this.pointAt(null));
    this.top = element('span.top-of');
    this.axis = element('div.axis', { 'aria-hidden': 'true' });
    this.keys = element('span.keys', {}, ...(lines.length > 1 ? lines.map(([name], i) => element(i ? 'span.key.second' : 'span.key', {}, name)) : []));
    this.range = element('span');
    figure.append(element('h2', {}, title), this.value, this.note, element('div.plot', {}, this.picture, this.top), this.axis,
      element('figcaption', {}, this.keys, this.range));
  }

  // samples: [{at, …}] in ascending order; from, until: milliseconds since 1970; longest: the gap beyond which the line is broken
  draw(samples, from, until, longest) {
    this.points = samples.filter(s => s.at >= from);
    [this.from, this.until] = [from, until];
    const values = this.points.flatMap(p => this.sources.map(([, key]) => p[key]));
    const peak = Math.max(0, ...values);
    const top = roundUp(peak);
    const x = at => (WIDE * (at - from) / (until - from)).toFixed(1);
    const y = value => (HIGH - 1 - (HIGH - 4) * value / top).toFixed(1);
    this.lines.forEach((line, n) => line.setAttribute('d', path(this.points, longest, p => `${x(p.at)} ${y(p[this.sources[n][1]])}`)));
    this.fill.setAttribute('d', area(this.points, longest, p => [x(p.at), y(p[this.sources[0][1]])]));
    const ticks = ticksOf(from, until);
    this.grid.setAttribute('d', `M0 ${HIGH - 1}H${WIDE}M0 ${y(top / 2)}H${WIDE}M0 ${y(top)}H${WIDE}${ticks.map(t => `M${x(t)} 0V${HIGH}`).join('')}`);
    this.axis.replaceChildren(...ticks.map(t => {
      const label = element('span', {}, hourAndMinute(new Date(t)));
      setStyle(label, 'left', `${100 * (t - from) / (until - from)}%`);
      return label;
    }));
    setText(this.top, this.format(top));
    const minutes = Math.round((until - from) / 60000);
    this.picture.setAttribute('aria-label', `${this.title}, the last ${minutes} minutes: `
      + (this.points.length ? this.sources.map(([name, key]) => `${name} ${this.format(this.points.at(-1)[key])}, highest ${this.format(Math.max(...this.points.map(p => p[key])))}`).join('; ')
        : 'nothing recorded yet'));
    this.usual = this.points.length ? (peak > 0 ? `peak ${this.format(peak)}` : 'none in this time') : 'recording begins';
    if (!this.pointed) {
      setText(this.range, this.usual);
    }
  }

  pointAt(event) {
    const box = event && this.picture.getBoundingClientRect();
    const at = event && this.from + (this.until - this.from) * (event.clientX - box.left) / box.width;
    const point = event && this.points.reduce((best, p) => (best === null || Math.abs(p.at - at) < Math.abs(best.at - at) ? p : best), null);
    this.pointed = !!point;
    this.cross.setAttribute('visibility', point ? 'visible' : 'hidden');
    if (!point) {
      setText(this.range, this.usual || '');
      return;
    }
    this.cross.setAttribute('d', `M${WIDE * (point.at - this.from) / (this.until - this.from)} 0V${HIGH}`);
    setText(this.range, `${clock(new Date(point.at))}: ${this.sources.map(([, key]) => this.format(point[key])).join(' / ')}`);
  }
}

function path(points, longest, place) {
  return points.map((p, i) => `${i && p.at - points[i - 1].at <= longest ? 'L' : 'M'}${place(p)}`).join('');
}

// What is under the line, each unbroken part by itself.
function area(points, longest, place) {
  const parts = [];
  points.forEach((p, i) => (i && p.at - points[i - 1].at <= longest ? parts.at(-1).push(p) : parts.push([p])));
  return parts.filter(part => part.length > 1).map(part => {
    const places = part.map(place);
    return `M${places[0][0]} ${HIGH - 1}L${places.map(p => p.join(' ')).join('L')}L${places.at(-1)[0]} ${HIGH - 1}Z`;
  }).join('');
}

// The next round number that is not below.
function roundUp(value) {
  if (value <= 1) {
    return 1;
  }
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map(n => n * unit).find(n => n >= value);
}

// Full minutes, quarters of an hour, …: three to five of them.
function ticksOf(from, until) {
  const step = [1, 5, 15].map(m => m * 60000).find(s => (until - from) / s <= 5.5) || 900000;
  const ticks = [];
  for (let t = Math.ceil(from / step) * step; t <= until; t += step) {
    if ((t - from) / (until - from) > 0.05 && (t - from) / (until - from) < 0.95) {
      ticks.push(t);
    }
  }
  return ticks;
}

// One bar per count; a minimum height keeps small counts visible beside large ones.
function drawBars(holder, labels, counts) {
  const most = Math.max(1, ...counts);
  if (holder.children.length !== labels.length) {
    holder.replaceChildren(...labels.map(label => element('div', {}, element('em'), element('i'), element('span', {}, label))));
    holder.setAttribute('role', 'img');
  }
  counts.forEach((number, i) => {
    const [amount, bar] = holder.children[i].children;
    setText(amount, number ? short.format(number) : '');
    setStyle(bar, 'height', number ? `${Math.max(3, 88 * number / most)}%` : '1px');
  });
  holder.setAttribute('aria-label', labels.map((label, i) => `${label}: ${counts[i]}`).filter((_, i) => counts[i]).join(', ') || 'none');
}
