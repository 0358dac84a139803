// What stands between the gateway and Prism, which speaks plain HTTP: a door with mutual TLS that hands each search on to the Prism for its
// number; and, behind the Prisms that are proxies, a small social registry that signs with `jose`. Settings come on standard input, the
// ports and one line for each search go to standard output.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import { CompactSign, compactVerify, importJWK } from 'jose';

const settings = JSON.parse(readFileSync(0, 'utf8'));
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function read(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const searched = (body) => JSON.parse(body).message.search_request[0].search_criteria.query;

async function door(request, response) {
  const body = await read(request);
  const to = settings.routes[searched(body).value];
  const { authorization, 'content-type': type } = request.headers;
  const answer = await fetch(`${to}${request.url}`, { method: request.method, headers: { authorization, 'content-type': type }, body });
  const violations = JSON.parse(answer.headers.get('sl-violations') ?? '[]');
  const text = await answer.text();
  say({ number: searched(body).value, status: answer.status, wrong: violations.filter(({ location }) => location[0] === 'request'), text });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' }).end(text);
}

const gatewayKey = await importJWK(settings.gateway_key, 'EdDSA');
const registerKey = await importJWK(settings.register_key, 'EdDSA');

async function register(request, response) {
  const { signature, header, message } = JSON.parse(await read(request));
  const { payload, protectedHeader } = await compactVerify(signature, gatewayKey, { algorithms: ['EdDSA'] });
  const signed = JSON.parse(new TextDecoder().decode(payload));
  if (protectedHeader.kid !== settings.gateway_key.kid || !isDeepStrictEqual(signed, { header, message })) throw new Error('not what was signed');
  const [search] = message.search_request;
  const { type, value } = search.search_criteria.query;
  const records = value in settings.records ? [settings.records[value]] : [];
  const member = ([attribute]) => ({
    member_identifier: [{ identifier_type: type, identifier_value: value }], demographic_info: { birth_date: '1991-05-20T00:00:00Z' },
    additional_attributes: [attribute],
  });
  const found = records.map((attribute) => member([attribute]));
  const answer = {
    header: {
      version: '1.0.0', message_id: randomUUID(), message_ts: new Date().toISOString(), action: 'on-search', status: 'succ', total_count: 1,
      completed_count: 1, sender_id: header.receiver_id, receiver_id: header.sender_id, is_msg_encrypted: false,
    },
    message: {
      transaction_id: message.transaction_id, correlation_id: randomUUID(),
      search_response: [{
        reference_id: search.reference_id, timestamp: new Date().toISOString(), status: 'succ',
        data: { version: '1.0.0', reg_record_type: 'Member', reg_records: settings.single.includes(value) ? found[0] : found },
        pagination: { page_size: 10, page_number: 1, total_count: found.length },
      }],
    },
  };
  const jws = new CompactSign(new TextEncoder().encode(JSON.stringify(answer))).setProtectedHeader({ alg: 'EdDSA', kid: settings.register_key.kid });
  const body = JSON.stringify({ signature: await jws.sign(registerKey), ...answer });
  response.writeHead(200, { 'content-type': 'application/json' }).end(body);
}

const guarded = (serve) => (request, response) => serve(request, response).catch((error) => {
  say({ error: String(error) });
  response.writeHead(500).end();
});
const file = (name) => readFileSync(settings[name]);
const tls = { ca: file('ca'), cert: file('cert'), key: file('key'), requestCert: true, rejectUnauthorized: true };
const front = createTlsServer(tls, guarded(door)).listen(settings.door, '127.0.0.1');
const behind = createServer(guarded(register)).listen(settings.register, '127.0.0.1');
for (const server of [front, behind]) await new Promise((ready) => (server.listening ? ready() : server.once('listening', ready)));
say('ready');
