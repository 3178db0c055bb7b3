// Polls the daemon while the page is visible.

const EVERY = 2000; // milliseconds
const AGES_EVERY = 5; // polls

const looking = { before: null, rounds: 0, historyAt: -Infinity, answeredAt: null, failedSince: null, fault: null, soon: () => {} };

async function look() {
  const [status, listed] = await Promise.all([api.get('/v1/status'), api.get('/v1/backends'), events.read()]);
  // tick: milliseconds of a clock that nobody sets
  const now = { time: new Date(), tick: performance.now(), status, backends: listed.backends };
  const hasRestarted = looking.before && looking.before.status.pid !== status.pid;
  if (hasRestarted) {
    recorded.restart();
    events.restart();
    looking.historyAt = -Infinity;
  }
  const before = hasRestarted ? null : looking.before;
  if (now.tick - looking.historyAt >= recorded.interval) {
    looking.historyAt = now.tick;
    await recorded.read();
  }
  overview.show(now, before);
  pools.show(status, now.backends, speeds(now, before), now.time);
  trouble.now = now.time;
  looking.worst = trouble.show(now);
  await fleetCard.show(status);
  if (looking.rounds++ % AGES_EVERY === 0) {
    overview.showAges(await api.get('/v1/ages'));
  }
  looking.before = now;
}

// Rates of each backend per second since the previous poll.
function speeds(now, before) {
  const found = new Map();
  if (before) {
    const seconds = (now.tick - before.tick) / 1000;
    const was = new Map(before.backends.map(b => [keyOf(b), b]));
    for (const b of now.backends) {
      const a = was.get(keyOf(b));
      if (a) {
        const per = (key, from = a, to = b) => Math.max(0, to[key] - from[key]) / seconds;
        const sent = key => (a.packets && b.packets ? per(key, a.packets, b.packets) : 0);
        found.set(keyOf(b), { connects: per('connect_attempts'), up: per('bytes_to_backend'), down: per('bytes_to_client'), packets: sent('packets'), packetBytes: sent('bytes') });
      }
    }
  }
  return found;
}

async function lookOn() {
  for (;;) {
    if (document.visibilityState === 'visible') {
      try {
        await look();
        looking.answeredAt = new Date();
        told(null);
      } catch (fault) {
        if (fault instanceof Refused && fault.status === 401) {
          await askToken(`${fault.message}.`);
        } else {
          told(fault);
        }
      }
      keyboard.mend();
    }
    await new Promise(resolve => {
      looking.soon = resolve;
      setTimeout(resolve, EVERY);
    });
  }
}

// After a change: looks again at once.
function refresh() {
  looking.soon();
}

// What the header, the tab and the actions say of the daemon itself.
function told(fault) {
  looking.failedSince = fault ? looking.failedSince || looking.answeredAt || new Date() : null;
  looking.fault = fault;
  document.body.classList.toggle('stale', !!fault);
  for (const button of document.querySelectorAll('[data-acts]')) {
    if (fault) {
      button.setAttribute('aria-disabled', 'true');
    } else if (!button.textContent.startsWith('closing')) {
      button.removeAttribute('aria-disabled');
    }
  }
  showSilence();
  showTab();
  if (fault) {
    trouble.doubt(looking.before);
  }
}

function showSilence() {
  const { fault, failedSince, before } = looking;
  const line = document.getElementById('trouble');
  line.hidden = !fault;
  const ready = document.getElementById('ready');
  setText(ready, fault ? 'no answer' : before ? (before.status.ready ? 'ready' : 'draining') : '…');
  setClass(ready, `chip ${fault ? 'no' : before ? (before.status.ready ? 'yes' : 'draining') : ''}`);
  if (fault) {
    const what = fault instanceof Refused ? `The daemon refuses: ${fault.message}.`
      : `No answer since ${moment(failedSince)}: the daemon hangs, has stopped, or cannot be reached.`;
    setText(line, `${what} ${before ? `What is shown was so at ${clock(before.time)}; actions are off.` : ''} Retrying.`);
  }
}

function showTab() {
  const { fault, before, worst } = looking;
  const dead = before ? deadPools(before.status) : [];
  const sign = fault ? '▲ no answer · ' : dead.length ? `▲ ${deadText(dead)} · ` : '';
  document.title = before ? `${sign}${fault ? '' : `${count(before.status.connections.active)} · `}${before.status.host} · L4Balancer` : `${sign}L4Balancer`;
  const color = fault || dead.length ? 'b3312b' : worst === 'bad' || worst === 'warn' ? 'b06a1c' : '2f7d8c';
  const icon = document.querySelector('link[rel=icon]');
  const href = icon.getAttribute('href').replace(/stroke='%23[0-9a-f]{6}'/, `stroke='%23${color}'`);
  if (href !== icon.getAttribute('href')) {
    icon.setAttribute('href', href);
  }
}

function setTheme(theme) {
  if (theme) {
    document.documentElement.dataset.theme = theme;
  } else {
    delete document.documentElement.dataset.theme;
  }
  localStorage.setItem('theme', theme);
}

function start() {
  const theme = document.getElementById('theme');
  theme.value = localStorage.getItem('theme') || '';
  setTheme(theme.value);
  theme.addEventListener('change', () => setTheme(theme.value));
  document.getElementById('search').addEventListener('input', event => pools.choose({ text: event.target.value.trim().toLowerCase() }));
  document.getElementById('clear').addEventListener('click', () => {
    document.getElementById('search').value = '';
    pools.choose({ text: '', state: '' });
    document.getElementById('search').focus();
  });
  document.getElementById('unlock').addEventListener('click', () => {
    if (api.token) {
      api.token = null;
      setText(document.getElementById('unlock'), 'Enter token…');
    } else {
      askToken();
    }
  });
  const keys = document.getElementById('keys');
  keys.checked = localStorage.getItem('keys') !== 'off';
  keys.addEventListener('change', () => localStorage.setItem('keys', keys.checked ? 'on' : 'off'));
  document.addEventListener('keydown', event => {
    if (event.key === '/' && keys.checked && !event.target.closest('input, select, dialog')) {
      event.preventDefault();
      document.getElementById('search').focus();
    }
  });

  // Actions that are off keep the focus, so they are no `disabled` buttons.
  document.addEventListener('click', event => {
    if (event.target.closest('[aria-disabled=true]')) {
      event.preventDefault();
      event.stopPropagation();
      if (looking.fault) {
        toast('The daemon does not answer: nothing can be changed now.', { bad: true });
      }
    }
  }, { capture: true });
  document.addEventListener('visibilitychange', () => refresh());
  isPhone.addEventListener('change', () => pools.last && pools.show(...pools.last));
  keyboard.start();
  overview.start();
  recorded.start();
  events.start();
  listing.start();
  lookOn();
}

start();
