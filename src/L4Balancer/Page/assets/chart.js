// Line charts of the last five minutes, and bar charts.

const HISTORY = 150; // points, one per poll

function svg(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

class LineChart {
  // names: of one or two lines; format: formats a value
  constructor(figure, title, names, format) {
    this.names = names;
    this.format = format;
    this.points = [];
    this.value = element('div.value');
    this.caption = element('figcaption');
    this.fill = svg('path', { class: 'fill' });
    this.lines = names.map((_, i) => svg('path', { class: 'ab'[i] }));
    this.cross = svg('path', { class: 'at', visibility: 'hidden' });
    this.picture = svg('svg', { viewBox: '0 0 300 84', preserveAspectRatio: 'none', role: 'img' },
      svg('path', { class: 'grid', d: 'M0 83.5H300M0 42H300M0 .5H300' }), this.fill, ...this.lines, this.cross);
    this.picture.addEventListener('pointermove', event => this.pointAt(event));
    this.picture.addEventListener('pointerleave', () => this.pointAt(null));
    this.title = title;
    this.keys = element('span.keys', {}, ...(names.length > 1 ? names.map((n, i) => element(i ? 'span.key.second' : 'span.key', {}, n)) : []));
    this.range = element('span');
    this.caption.append(this.keys, this.range);
    figure.append(element('h2', {}, title), this.value, this.picture, this.caption);
  }

  add(time, values) {
    this.points.push({ time, values });
    if (this.points.length > HISTORY) {
      this.points.shift();
    }
    this.draw();
  }

  draw() {
    const top = Math.max(1, ...this.points.flatMap(p => p.values)) * 1.08;
    const x = i => (300 * (HISTORY - this.points.length + i) / (HISTORY - 1)).toFixed(1);
    const y = value => (83 - 82 * value / top).toFixed(1);
    this.lines.forEach((line, n) =>
      line.setAttribute('d', this.points.map((p, i) => `${i ? 'L' : 'M'}${x(i)} ${y(p.values[n])}`).join('')));
    if (this.points.length > 1) {
      this.fill.setAttribute('d', `${this.lines[0].getAttribute('d')}L300 84L${x(0)} 84Z`);
    }
    const now = this.points[this.points.length - 1];
    this.picture.setAttribute('aria-label', `${this.title}: ${this.names.map((n, i) => `${n} ${this.format(now.values[i])}`).join(', ')}; `
      + `highest in five minutes ${this.format(top / 1.08)}`);
    if (!this.pointed) {
      setText(this.range, `peak ${this.format(top / 1.08)}`);
    }
  }

  pointAt(event) {
    this.pointed = event !== null;
    if (event === null) {
      this.cross.setAttribute('visibility', 'hidden');
      this.draw();
      return;
    }
    const box = this.picture.getBoundingClientRect();
    const place = Math.round((event.clientX - box.left) / box.width * (HISTORY - 1)) - (HISTORY - this.points.length);
    const point = this.points[place];
    if (!point) {
      return;
    }
    const at = 300 * (place + HISTORY - this.points.length) / (HISTORY - 1);
    this.cross.setAttribute('d', `M${at} 0V84`);
    this.cross.setAttribute('visibility', 'visible');
    setText(this.range, `${clock(point.time)}: ${point.values.map(this.format).join(' / ')}`);
  }
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
