// Dialogs and short messages.

function toast(text, bad) {
  const made = element(bad ? 'div.toast.bad' : 'div.toast', {}, text);
  document.getElementById('toasts').append(made);
  setTimeout(() => made.remove(), bad ? 9000 : 4000);
}

// Shows a dialog; resolves to whether it was confirmed.
function ask(dialog) {
  return new Promise(resolve => {
    dialog.returnValue = 'cancel';
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'ok'), { once: true });
    dialog.querySelector('.cancel').onclick = () => dialog.close('cancel');
    dialog.showModal();
  });
}

async function askToken(why) {
  const field = document.getElementById('token');
  field.value = '';
  const line = document.getElementById('token-why');
  line.dataset.usual = line.dataset.usual || line.textContent;
  line.textContent = why || line.dataset.usual;
  if (await ask(document.getElementById('token-dialog'))) {
    api.token = field.value.trim() || null;
  }
  field.value = '';
  setText(document.getElementById('unlock'), api.token ? 'Forget token' : 'Enter token…');
  return api.token !== null;
}

// Sends a request that changes something; asks for the token if it is missing or wrong.
async function change(method, path, done) {
  if (api.token === null && !await askToken()) {
    return false;
  }
  try {
    await api.send(method, path);
    toast(done);
    return true;
  } catch (fault) {
    if (fault instanceof Refused && fault.status === 401) {
      api.token = null;
      return await askToken(`${fault.message}. Try again:`) && change(method, path, done);
    }
    toast(fault instanceof Refused ? fault.message : 'The daemon does not answer.', true);
    return false;
  }
}

async function drain(backend) {
  const dialog = document.getElementById('drain-dialog');
  setText(document.getElementById('drain-title'), `Drain ${backend.pool}/${backend.name}`);
  warnIfLast('drain-warning', backend);
  if (await ask(dialog)) {
    const how = dialog.querySelector('[name=how]:checked').value;
    const value = how === 'stay' ? '' : document.getElementById(`drain-${how}`).value.trim();
    await change('POST', `/v1/backends/${backend.pool}/${backend.name}/drain${how === 'stay' ? '' : `?${how}=${encodeURIComponent(value)}`}`,
      `${backend.pool}/${backend.name} is draining`);
  }
}

function warnIfLast(id, backend) {
  const line = document.getElementById(id);
  const isLast = pools.isLast(backend);
  line.hidden = !isLast;
  setText(line, isLast ? `This is the last backend of ${backend.pool} that takes connections: new connections will be refused.` : '');
  return isLast;
}

// Maintenance acts at once, except on the last backend of a pool.
async function maintain(backend) {
  setText(document.getElementById('maint-title'), `Maintenance of ${backend.pool}/${backend.name}`);
  if (!warnIfLast('maint-warning', backend) || await ask(document.getElementById('maint-dialog'))) {
    await setMode(backend, 'maint');
  }
}

const stopRebalance = pool => change('DELETE', `/v1/pools/${pool}/rebalance`, `the rebalance of ${pool} is stopped`);

async function rebalance(pool) {
  setText(document.getElementById('rebalance-title'), `Rebalance ${pool}`);
  if (await ask(document.getElementById('rebalance-dialog'))) {
    const values = { rate: document.getElementById('rebalance-rate').value, tolerance: document.getElementById('rebalance-tolerance').value };
    const query = Object.entries(values).filter(([, v]) => v.trim()).map(([k, v]) => `${k}=${encodeURIComponent(v.trim())}`).join('&');
    await change('POST', `/v1/pools/${pool}/rebalance${query ? `?${query}` : ''}`, `${pool} is being rebalanced`);
  }
}

const setMode = (backend, mode) =>
  change('POST', `/v1/backends/${backend.pool}/${backend.name}/${mode}`, `${backend.pool}/${backend.name}: ${mode}`);
