// The keyboard focus is never lost: where the element that has it goes away, the nearest place that is left gets it.

const keyboard = {
  last: null,
  homes: [],

  start() {
    document.addEventListener('focusin', event => {
      this.last = event.target;
      this.homes = ['.row', '.pool', '#wrong', '#pools'].map(kind => event.target.closest(kind)).filter(Boolean);
    });
  },

  // After anything that hides or removes elements. Who has clicked beside every element has no focus, and keeps none.
  mend() {
    const active = document.activeElement;
    if (!this.last || (active && active !== document.body ? isShown(active) : isShown(this.last))) {
      return;
    }
    const home = this.homes.find(isShown) || document.getElementById('pools');
    const heir = home.matches('.row') ? [...home.querySelectorAll('.c-actions button'), home.querySelector('button')].find(isShown) : null;
    (heir || home).focus({ preventScroll: true });
  },

  // Moves elements: an element that is moved loses the focus in some browsers.
  keep(move) {
    const active = document.activeElement;
    move();
    if (active !== document.activeElement && active.isConnected) {
      active.focus({ preventScroll: true });
    }
  },
};

function isShown(node) {
  return node.isConnected && node.getClientRects().length > 0;
}
