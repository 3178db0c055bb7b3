// What a backend does with the token of [endpoint], from its description alone. Also: node endpoint-token.js SECRETFILE TOKEN prints the claims.
'use strict';
const { createHmac, timingSafeEqual } = require('node:crypto');
const fs = require('node:fs');

exports.claimsOf = (token, secret, backend) => {
  const [version, payload, signature] = token.split('.');
  if (version !== 'v1') throw new Error('unknown version');
  const expected = createHmac('sha256', secret).update(`v1.${payload}`).digest();
  const given = Buffer.from(signature ?? '', 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Error('wrong signature');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  if (claims.e < Date.now() / 1000) throw new Error('expired');
  if (backend && claims.b !== backend) throw new Error('meant for another backend');
  return claims;
};

if (require.main === module) {
  const [file, token] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(exports.claimsOf(token, fs.readFileSync(file))));
}
