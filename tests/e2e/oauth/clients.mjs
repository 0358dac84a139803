// `openid-client` and `oauth4webapi` get a bound token each way and ask with it. Reads its settings as JSON from standard input.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { fetchWith } from './mtls.mjs';

const settings = JSON.parse(readFileSync(0));
const issuer = new URL(settings.issuer);
const query = (agency) => JSON.stringify(settings.queries[agency]);
const json = new Headers({ 'content-type': 'application/json' });

async function privateKey({ jwk, kid }) {
  const algorithm = jwk.kty === 'EC' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' };
  return { key: await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']), kid };
}

async function answered(response, client) {
  const body = await response.json();
  assert.equal(response.status, 200, `${client}: ${JSON.stringify(body)}`);
  assert.equal(body.decision, 'entitled', client);
}

async function withOpenidClient(agency, auth) {
  const fetch = fetchWith(settings.agencies[agency]);
  const options = { algorithm: 'oauth2', [openid.customFetch]: fetch };
  const config = await openid.discovery(issuer, agency, { use_mtls_endpoint_aliases: true }, auth, options);
  const token = await openid.clientCredentialsGrant(config, { scope: 'verify' });
  assert.equal(token.token_type, 'bearer');
  const url = new URL('/v1/verify', issuer);
  await answered(await openid.fetchProtectedResource(config, token.access_token, url, 'POST', query(agency), json), `openid-client as ${agency}`);
}

async function withOauth4webapi(agency, auth) {
  const custom = { [oauth.customFetch]: fetchWith(settings.agencies[agency]) };
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...custom });
  const server = await oauth.processDiscoveryResponse(issuer, found);
  const client = { client_id: agency };
  const granted = await oauth.clientCredentialsGrantRequest(server, client, auth, new URLSearchParams({ scope: 'verify' }), custom);
  const token = await oauth.processClientCredentialsResponse(server, client, granted);
  const url = new URL('/v1/verify', issuer);
  await answered(await oauth.protectedResourceRequest(token.access_token, 'POST', url, json, query(agency), custom), `oauth4webapi as ${agency}`);
}

const [by_certificate, by_key] = [settings.by_certificate, settings.by_key];
await withOpenidClient(by_certificate, openid.TlsClientAuth());
await withOauth4webapi(by_certificate, oauth.TlsClientAuth());
await withOpenidClient(by_key, openid.PrivateKeyJwt(await privateKey(settings.keys.openid)));
await withOauth4webapi(by_key, oauth.PrivateKeyJwt(await privateKey(settings.keys.oauth4webapi)));
