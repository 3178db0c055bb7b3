// Polls the daemon while the page is visible.

const EVERY = 2000; // milliseconds
const AGES_EVERY = 5; // polls

const looking = { before: null, rounds: 0, lastEvent: 0, failedSince: null };

async function look() {
  const [status, listed, events] = await Promise.all([
    api.get('/v1/status'), api.get('/v1/backends'), api.get(`/v1/events?after=${looking.lastEvent}`)]);
  const now = { time: new Date(), status, backends: listed.backends };
  const restarted = looking.before && looking.before.status.pid !== status.pid;
  const before = restarted ? null : looking.before;
  overview.show(now, before);
  pools.show(status, now.backends, speeds(now, before), now.time);
  overview.showEvents(events.events);
  await fleetCard.show(status);
  if (restarted) {
    looking.lastEvent = 0;
  } else if (events.events.length) {
    looking.lastEvent = events.events[events.events.length - 1].number;
  }
  if (looking.rounds++ % AGES_EVERY === 0) {
    overview.showAges(await api.get('/v1/ages'));
  }
  looking.before = now;
}

// Rates of each backend per second since the previous poll.
function speeds(now, before) {
  const found = new Map();
  if (before) {
    const seconds = (now.time - before.time) / 1000;
    const was = new Map(before.backends.map(b => [keyOf(b), b]));
    for (const b of now.backends) {
      const a = was.get(keyOf(b));
      if (a) {
        const per = key => Math.max(0, b[key] - a[key]) / seconds;
        found.set(keyOf(b), { connects: per('connect_attempts'), up: per('bytes_to_backend'), down: per('bytes_to_client') });
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
        told(null);
      } catch (fault) {
        if (fault instanceof Refused && fault.status === 401) {
          await askToken(`${fault.message}.`);
        } else {
          told(fault);
        }
      }
    }
    await new Promise(resolve => setTimeout(resolve, EVERY));
  }
}

function told(fault) {
  const line = document.getElementById('trouble');
  looking.failedSince = fault ? looking.failedSince || new Date() : null;
  line.hidden = !fault;
  document.body.classList.toggle('stale', !!fault);
  if (fault) {
    setText(line, fault instanceof Refused ? `The daemon refused the request: ${fault.message}` : `No answer since ${clock(looking.failedSince)}; retrying.`);
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
  document.getElementById('unlock').addEventListener('click', () => {
    if (api.token) {
      api.token = null;
      setText(document.getElementById('unlock'), 'Enter token…');
    } else {
      askToken();
    }
  });
  document.addEventListener('keydown', event => {
    if (event.key === '/' && !event.target.closest('input, select, dialog')) {
      event.preventDefault();
      document.getElementById('search').focus();
    }
  });
  overview.start();
  lookOn();
}

start();
