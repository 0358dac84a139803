// One request over mutual TLS with Node's `tls`: client.mjs HOST PORT CA [CERT KEY], the request on standard input.
import { readFileSync } from "node:fs";
import tls from "node:tls";

const [host, port, ca, cert, key] = process.argv.slice(2);
const request = readFileSync(0);
const read = (file) => file && readFileSync(file);
// One key exchange group or one version alone, where the environment names it.
const { ONLY_GROUP: group, ONLY_VERSION: version = "TLSv1.3" } = process.env;
const offer = { minVersion: version, maxVersion: version, ...(group && { ecdhCurve: group }) };
const socket = tls.connect({ host, port, servername: host, ca: read(ca), cert: read(cert), key: read(key), ...offer });
socket.setTimeout(20_000, () => socket.destroy(new Error("nothing came")));
socket.on("secureConnect", () => {
  if (request.length) socket.write(request);
});
// The alert about a client certificate comes after the client's own end of the handshake.
socket.on("data", (data) => process.stdout.write(data));
socket.on("error", (error) => {
  process.stderr.write(`${error.code} ${error.message}\n`);
  process.exitCode = 1;
});
