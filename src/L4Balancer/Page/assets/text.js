// Formatting of numbers and times, and creation of elements.

const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

function count(number) {
  return number < 100000 ? whole.format(Math.round(number)) : short.format(number);
}

function rate(number) {
  return number >= 100 ? count(number) : number >= 10 ? number.toFixed(0) : number === 0 ? '0' : number.toFixed(1);
}

function bytes(number) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) {
    number /= 1000;
    unit++;
  }
  return `${unit === 0 || number >= 10 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

function percent(share) {
  return share >= 0.1 || share === 0 ? `${Math.round(share * 100)}%` : `${(share * 100).toFixed(1)}%`;
}

function duration(seconds) {
  const steps = [[86400, 'd'], [3600, 'h'], [60, 'm']];
  for (const [length, unit] of steps) {
    if (seconds >= length) {
      const rest = steps.find(([shorter]) => shorter < length);
      const head = Math.floor(seconds / length);
      const tail = rest ? Math.floor((seconds - head * length) / rest[0]) : 0;
      return tail > 0 ? `${head}${unit} ${tail}${rest[1]}` : `${head}${unit}`;
    }
  }
  return `${Math.floor(seconds)}s`;
}

function clock(date) {
  return date.toLocaleTimeString('en-GB');
}

function hourAndMinute(date) {
  return clock(date).slice(0, 5);
}

function day(date) {
  return date.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
}

// With the day where it is not today.
function moment(date) {
  return date.toDateString() === new Date().toDateString() ? clock(date) : `${date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} ${clock(date)}`;
}

// Of the browser, as in UTC+01:00.
function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const two = number => String(Math.floor(number)).padStart(2, '0');
  return minutes ? `UTC${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}` : 'UTC';
}

// The first few of them by name.
function few(names, most = 4) {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

function words(reason) {
  return reason.replaceAll('_', ' ');
}

// element('div.card', {title: '…'}, child, 'text')
function element(kind, attributes, ...children) {
  const [name, ...classes] = kind.split('.');
  const made = document.createElement(name);
  made.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith('on')) {
      made.addEventListener(key.slice(2), value);
    } else {
      made.setAttribute(key, value);
    }
  }
  made.append(...children);
  return made;
}

// Writes only changes, to avoid unnecessary layout work in the browser.
function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

function setClass(node, name) {
  if (node.className !== name) {
    node.className = name;
  }
}

// The content security policy forbids style attributes in markup; setting styles through the DOM is allowed.
function setStyle(node, property, value) {
  if (node.style[property] !== value) {
    node.style[property] = value;
  }
}
