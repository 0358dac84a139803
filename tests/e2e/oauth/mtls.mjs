// `fetch` over mutual TLS: the platform's own cannot show a client certificate.
import { readFileSync } from 'node:fs';
import { request } from 'node:https';

export function fetchWith({ ca, cert, key }) {
  const files = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) };
  return (url, { method = 'GET', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const sent = body === undefined || body === null ? undefined : Buffer.from(body.toString());
      const fields = { ...Object.fromEntries(new Headers(headers)), ...(sent && { 'content-length': sent.length }) };
      const asked = request(url, { method, headers: fields, ...files, servername: 'localhost' }, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const received = new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
          resolve(new Response(Buffer.concat(chunks), { status: response.statusCode, headers: received }));
        });
      });
      asked.on('error', reject);
      asked.end(sent);
    });
}
