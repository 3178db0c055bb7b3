// SignalR's own client, which follows the redirection of the endpoint API to a backend. node direct-signalr.js URL COUNT connects as often and
// prints the names that the backends' hubs sent, as a JSON array.
'use strict';
const { HubConnectionBuilder, LogLevel } = require('@microsoft/signalr');

const [url, count] = process.argv.slice(2);

const connect = async () => {
  const hub = new HubConnectionBuilder().withUrl(url).configureLogging(LogLevel.None).build();
  const named = new Promise((resolve) => hub.on('backend', resolve));
  await hub.start();
  const name = await named;
  await hub.stop();
  return name;
};

(async () => {
  const names = [];
  for (let i = 0; i < Number(count); i++) names.push(await connect());
  process.stdout.write(JSON.stringify(names));
  process.exit(0);
})().catch((fault) => { console.error(fault); process.exit(1); });
