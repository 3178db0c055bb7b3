// The code of docs/websockets.md as it stands: all blocks of JavaScript, with the address of the example replaced by that of the test, and so the
// file of its secret.
'use strict';
const fs = require('node:fs');
const vm = require('node:vm');

exports.blocksOf = (document, endpoint, secretFile) =>
  [...fs.readFileSync(document, 'utf8').matchAll(/^```js\n(.*?)^```$/gms)]
    .map((block) => block[1].replaceAll('https://lb.example.com:9190', endpoint).replaceAll('/etc/chat/endpoint.secret', secretFile));

// Runs the block in which a text occurs; the value is that of its last statement.
exports.run = (blocks, text) => {
  const found = blocks.filter((block) => block.includes(text));
  if (found.length !== 1) throw new Error(`${found.length} blocks with ${text}`);
  return vm.runInThisContext(found[0]);
};
