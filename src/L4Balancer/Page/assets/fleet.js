// The balancers of the fleet, in what they differ, and what operators want on all of them.

const fleetCard = {
  async show(status) {
    const card = document.getElementById('fleet');
    card.hidden = !status.fleet;
    if (!status.fleet) {
      return;
    }
    const fleet = await api.get('/v1/fleet');
    const store = fleet.connected ? 'etcd answers' : `etcd is away: ${fleet.fault}`;
    const held = fleet.id_held_by ? ` · another process has the id ${fleet.id}: ${fleet.id_held_by}` : '';
    const waiting = fleet.not_shared ? ` · ${count(fleet.not_shared)} not shared yet` : '';
    const note = card.querySelector('.fleet-note');
    setText(note, `${fleet.name} · ${store}${held}${waiting} · health by ${fleet.health === 'vote' ? 'vote' : 'own probes'}`);
    setClass(note, `fleet-note ${fleet.connected && !held ? 'dim' : 'bad'}`);
    card.querySelector('.fleet').className = 'fleet list';
    card.querySelector('.fleet').replaceChildren(...fleet.members.flatMap(m => {
      const states = Object.values(m.backends);
      const up = states.filter(s => s === 'up').length;
      return [
        element('div', {}, element('div.name', {}, m.self ? `${m.id} (this one)` : m.id), element('div.dim', {}, `${m.version} · configuration ${m.configuration}`)),
        element(m.state === 'ready' ? 'span.dim' : 'span.bad', {}, m.state),
        element('span', {}, `sees ${count(up)} of ${count(states.length)} up`),
      ];
    }));
    const differences = fleet.differences.map(d => element('li', {}, `differ in ${d.kind}${d.what ? ` of ${d.what}` : ''}: ${Object.entries(d.values).map(([id, v]) => `${id} ${v}`).join(', ')}`));
    const intents = fleet.intents.map(i => element('li', {},
      `${i.pool}/${i.backend}: ${i.value}${i.until ? ` until ${moment(new Date(i.until))}` : ''}, by ${i.who}${i.shared ? '' : ' (not shared yet)'}`));
    card.querySelector('.fleet-more').replaceChildren(...differences, ...intents);
  },
};
