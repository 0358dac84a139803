// `oidc-provider` as an outside issuer over mutual TLS. Reads its settings as JSON from standard input, prints `ready`, runs until killed.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(readFileSync(0));
const certificate = (ctx) => ctx.req.socket.getPeerX509Certificate();

const clients = Object.entries(settings.clients).map(([client_id, tls_client_auth_san_uri]) => ({
  client_id,
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  token_endpoint_auth_method: 'tls_client_auth',
  tls_client_auth_san_uri,
  tls_client_certificate_bound_access_tokens: true,
  id_token_signed_response_alg: settings.alg,
  scope: 'verify log:person',
}));

const provider = new Provider(settings.issuer, {
  clients,
  jwks: { keys: settings.keys },
  clientAuthMethods: ['tls_client_auth'],
  scopes: ['verify', 'log:person'],
  ttl: { ClientCredentials: 300 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => certificate(ctx)?.toString(),
      certificateAuthorized: (ctx) => ctx.req.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) =>
        property === 'tls_client_auth_san_uri' && new X509Certificate(certificate(ctx).raw).subjectAltName === `URI:${expected}`,
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => settings.audience,
      getResourceServerInfo: () => ({
        scope: 'verify log:person',
        audience: settings.audience,
        accessTokenTTL: 300,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: settings.alg } },
      }),
    },
  },
});
provider.on('server_error', (ctx, error) => console.error(error));

const files = { ca: readFileSync(settings.ca), cert: readFileSync(settings.cert), key: readFileSync(settings.key) };
createServer({ ...files, requestCert: true, rejectUnauthorized: false }, provider.callback()).listen(new URL(settings.issuer).port, '127.0.0.1', () =>
  console.log('ready'),
);
