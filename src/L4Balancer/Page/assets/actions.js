// What an operator does with backends: one of them, or those that are selected. Each change of a mode or weight can be undone.

const pathOf = backend => `/v1/backends/${backend.pool}/${backend.name}`;
const titleOf = backend => `${backend.pool}/${backend.name}`;
const modeOf = backend => ({ draining: 'drain', maintenance: 'maint' })[backend.state] || 'ready';
const named = (backends, verb) => (backends.length === 1 ? `${titleOf(backends[0])} ${verb[0]}` : `${backends.length} backends of ${backends[0].pool} ${verb[1]}`);

const SAID = {
  drain: ['is draining', 'are draining'],
  maint: ['is in maintenance', 'are in maintenance'],
  ready: ['is ready', 'are ready'],
};

// query: of a drain. Stops at the first that is refused.
async function setModes(backends, mode, query = '', undoes = false) {
  const changed = [];
  let warning = null;
  for (const backend of backends) {
    const answer = await send('POST', `${pathOf(backend)}/${mode}${query}`);
    if (!answer) {
      break;
    }
    warning = answer.warning || warning;
    changed.push(backend);
  }
  if (changed.length) {
    const undo = undoes ? null : () => undoModes(changed);
    toast(`${named(changed, SAID[mode])}${warning ? `. ${sentence(warning)}` : ''}`, { undo });
    refresh();
  }
}

// Back to what each of them was. Connections that were closed stay closed.
async function undoModes(backends) {
  for (const [mode, members] of Map.groupBy(backends, modeOf)) {
    await setModes(members, mode, '', true);
  }
}

async function drain(backends) {
  const dialog = document.getElementById('drain-dialog');
  setText(document.getElementById('drain-title'), backends.length === 1 ? `Drain ${titleOf(backends[0])}` : `Drain ${backends.length} backends of ${backends[0].pool}`);
  setText(document.getElementById('drain-what'), `${backends.length === 1 ? 'The backend receives' : 'The backends receive'} no new connections. Established connections:`);
  warnIfLast('drain-warning', backends);
  if (await ask(dialog)) {
    const how = dialog.querySelector('[name=how]:checked').value;
    const value = how === 'stay' ? '' : document.getElementById(`drain-${how}`).value.trim();
    await setModes(backends, 'drain', how === 'stay' ? '' : `?${how}=${encodeURIComponent(value)}`);
  }
}

// Whether no other backend of the pool takes connections.
function warnIfLast(id, backends) {
  const line = document.getElementById(id);
  const isLast = pools.areLast(backends);
  const { pool } = backends[0];
  line.hidden = !isLast;
  setText(line, !isLast ? '' : backends.length === 1
    ? `This is the last backend of ${pool} that takes connections: new connections will be refused.`
    : `No other backend of ${pool} takes connections: new connections will be refused.`);
  return isLast;
}

// Maintenance acts at once and can be undone, except on the last backend of a pool, and on several.
async function maintain(backends) {
  setText(document.getElementById('maint-title'), backends.length === 1 ? `Maintenance of ${titleOf(backends[0])}` : `Maintenance of ${backends.length} backends of ${backends[0].pool}`);
  const asks = warnIfLast('maint-warning', backends) || backends.length > 1;
  if (!asks || await ask(document.getElementById('maint-dialog'))) {
    await setModes(backends, 'maint');
  }
}

async function weigh(backend) {
  const field = document.getElementById('weight');
  setText(document.getElementById('weight-title'), `Weight of ${titleOf(backend)}`);
  field.value = backend.weight;
  if (await ask(document.getElementById('weight-dialog')) && Number(field.value) !== backend.weight) {
    const set = (weight, undo) => change('PUT', `${pathOf(backend)}/weight`, `${titleOf(backend)} has weight ${weight}`, undo, { weight });
    await set(Number(field.value), () => set(backend.weight, null));
  }
}

const stopRebalance = pool => change('DELETE', `/v1/pools/${pool}/rebalance`, `the rebalance of ${pool} is stopped`);

async function rebalance(pool) {
  setText(document.getElementById('rebalance-title'), `Rebalance ${pool}`);
  if (await ask(document.getElementById('rebalance-dialog'))) {
    const values = { rate: document.getElementById('rebalance-rate').value, tolerance: document.getElementById('rebalance-tolerance').value };
    const query = Object.entries(values).filter(([, v]) => v.trim()).map(([k, v]) => `${k}=${encodeURIComponent(v.trim())}`).join('&');
    await change('POST', `/v1/pools/${pool}/rebalance${query ? `?${query}` : ''}`, `${pool} is being rebalanced`, () => stopRebalance(pool));
  }
}
