// `jose` verifies statements and printed receipts, and refuses every tampered one. Reads its settings as JSON from standard input.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createLocalJWKSet, jwtVerify } from 'jose';

const { jwks, issuer, documents } = JSON.parse(readFileSync(0));
const keys = createLocalJWKSet(jwks);
for (const { typ, good, bad } of documents) {
  const rules = { issuer, typ, algorithms: ['EdDSA'], ...(typ === 'estelam-answer+jwt' ? { audience: 'bank' } : {}) };
  const { payload } = await jwtVerify(good, keys, rules);
  assert.equal(payload.iss, issuer);
  for (const other of bad) await assert.rejects(jwtVerify(other, keys, rules), typ);
}
