// Dialogs and short messages.

// undo: what the button Undo does, or nothing. A message is not removed while the pointer or the focus is on it.
function toast(text, { bad = false, undo = null } = {}) {
  const made = element(bad ? 'div.toast.bad' : 'div.toast', {}, element('span', {}, text));
  const remove = () => {
    made.remove();
    keyboard.mend();
  };
  if (undo) {
    made.append(element('button', { type: 'button', onclick: () => { remove(); undo(); } }, 'Undo'));
  }
  if (undo || bad) {
    made.append(element('button.dismiss', { type: 'button', 'aria-label': 'Dismiss', onclick: remove }, '×'));
  }
  document.getElementById('toasts').append(made);
  const end = () => (made.matches(':hover, :focus-within') ? setTimeout(end, 1000) : remove());
  setTimeout(end, undo ? 20000 : bad ? 12000 : 4000);
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

// Of a destructive act without a dialog of its own.
function confirmed(title, text, verb) {
  setText(document.getElementById('confirm-title'), title);
  setText(document.getElementById('confirm-text'), text);
  setText(document.getElementById('confirm-ok'), verb);
  return ask(document.getElementById('confirm-dialog'));
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

// Sends a request that changes something; asks for the token if it is missing or wrong. Resolves to the answer, or null if nothing was changed.
async function send(method, path, body) {
  if (api.token === null && !await askToken()) {
    return null;
  }
  try {
    return await api.send(method, path, body);
  } catch (fault) {
    if (fault instanceof Refused && fault.status === 401) {
      api.token = null;
      return await askToken(`${fault.message}. Try again:`) ? send(method, path, body) : null;
    }
    toast(fault instanceof Refused ? fault.message : 'The daemon does not answer: whether the change was made is not known.', { bad: true });
    return null;
  }
}

// One change, its message, and how to undo it.
async function change(method, path, done, undo = null, body = null) {
  const answer = await send(method, path, body);
  if (answer) {
    toast(answer.warning ? `${done}. ${sentence(answer.warning)}` : done, { undo });
    refresh();
  }
  return !!answer;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
