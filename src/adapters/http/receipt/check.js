
// Checking: the same rules as `estelam receipt check`, with WebCrypto. Everything read here was written by others.

const MAX_DOCUMENT = 8192, MAX_PAPER = 65536, MAX_KEYS = 1048576, MAX_HEADER = 512, MAX_PATH = 64, MAX_LOGS = 256;
/// A key may still have signed for so long after its successor was named, in milliseconds.
const STILL_SIGNING = 120000;
/// What follows the origin of a log in the origin of the seal that it put on the log before it.
const SEALED = '/sealed';
const KINDS = { 'estelam-answer+jwt': 'answer', 'estelam-refusal+jwt': 'refusal', 'estelam-receipt+jwt': 'receipt' };
const UTF8 = new TextDecoder('utf-8', { fatal: true });
const bytesOf = (text) => new TextEncoder().encode(text);

/// Why something is not called genuine; `code` is that of the command line.
class Doubt extends Error {
  constructor(code) { super(code); this.code = code; }
}
const doubt = (code) => { throw new Doubt(code); };
/// What is false in itself; everything else cannot be told from what is given.
const FALSE = new Set(['other-kind', 'claims-malformed', 'other-issuer', 'key-of-other-use', 'other-algorithm',
  'wrong-signature', 'outside-key-life', 'answer-differs', 'after-compromise']);

/// Base64 or base64url as it must be written, and no other way.
function decoded(text, alphabet) {
  const url = alphabet === 'url';
  if (!(url ? /^[A-Za-z0-9_-]+$/ : /^[A-Za-z0-9+/]+={0,2}$/).test(text)) return null;
  const standard = url ? text.replace(/-/g, '+').replace(/_/g, '/') : text;
  let binary;
  try { binary = atob(standard); } catch { return null; }
  let again = btoa(binary);
  if (url) again = again.replace(/=+$/, '');
  return again === standard ? Uint8Array.from(binary, (c) => c.charCodeAt(0)) : null;
}
const encodedUrl = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

/// A JSON object in which no member occurs twice, at any depth; null otherwise.
function object(text) {
  let value;
  try { value = JSON.parse(text); } catch { return null; }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const open = [];
  for (let at = 0; at < text.length; at += 1) {
    const inside = open[open.length - 1], c = text[at];
    if (c === '"') {
      let end = at + 1;
      while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      if (inside && inside.wantsName) {
        const name = JSON.parse(text.slice(at, end + 1));
        if (inside.names.has(name)) return null;
        inside.names.add(name);
        inside.wantsName = false;
      }
      at = end;
    } else if (c === '{') open.push({ names: new Set(), wantsName: true });
    else if (c === '[') open.push({ names: null, wantsName: false });
    else if (c === '}' || c === ']') open.pop();
    else if (c === ',' && inside && inside.names) inside.wantsName = true;
  }
  return value;
}

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
const joined = (...parts) => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { whole.set(part, at); return at + part.length; }, 0);
  return whole;
};
const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
const isText = (value) => typeof value === 'string';
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const instant = (text) => {
  const at = isText(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) throw new Doubt('keys-malformed');
  return at;
};

/// The published list of key lives, every key checked against its id.
async function readKeys(text) {
  const list = text.length <= MAX_KEYS ? object(text) : null;
  if (!list || !isText(list.issuer) || !isText(list.origin) || !Array.isArray(list.keys) || list.keys.length > 4096) doubt('keys-malformed');
  const named = list.origins === undefined ? [] : list.origins;
  if (!Array.isArray(named) || !named.every(isText) || named.length > MAX_LOGS) doubt('keys-malformed');
  const origins = named.length === 0 ? [list.origin] : named;
  if (origins[origins.length - 1] !== list.origin) doubt('keys-malformed');
  const keys = { issuer: list.issuer, origins, signing: new Map(), log: [] };
  // A checkpoint of an older log names its origin, or is the seal that the next one put on it.
  const names = [...origins, ...origins.slice(1).map((next) => next + SEALED)];
  for (const entry of list.keys) {
    const bytes = isText(entry.public) ? decoded(entry.public, 'url') : null;
    if (!bytes || (await thumbprint(bytes)) !== entry.kid || (bytes.length === 32 ? 'EdDSA' : 'ES256') !== entry.alg) doubt('keys-malformed');
    const limit = entry.compromised || null;
    if (limit ? !isCount(limit.tree_size) || !isText(limit.checkpoint) : entry.state === 'compromised') doubt('keys-malformed');
    const from = entry.signs_from ? instant(entry.signs_from) : null;
    const until = entry.signs_until ? instant(entry.signs_until) : null;
    const key = { kid: entry.kid, alg: entry.alg, use: entry.use, state: entry.state, bytes, from, until, limit };
    if (entry.use === 'checkpoints') {
      for (const origin of names) keys.log.push({ ...key, origin, id: await noteKeyId(origin, bytes) });
    } else keys.signing.set(entry.kid, key);
  }
  return keys;
}

/// The log that a checkpoint's origin is of, by its place among the logs, the oldest first; -1 if it is none of them.
function placeOf(origin, keys) {
  if (!origin.endsWith(SEALED)) return keys.origins.indexOf(origin);
  const next = keys.origins.indexOf(origin.slice(0, -SEALED.length));
  return next < 1 ? -1 : next - 1;
}

/// RFC 7638: SHA-256 over the required members in order.
async function thumbprint(bytes) {
  let jwk = null;
  if (bytes.length === 32) jwk = `{"crv":"Ed25519","kty":"OKP","x":"${encodedUrl(bytes)}"}`;
  if (bytes.length === 65 && bytes[0] === 4) {
    jwk = `{"crv":"P-256","kty":"EC","x":"${encodedUrl(bytes.slice(1, 33))}","y":"${encodedUrl(bytes.slice(33))}"}`;
  }
  return jwk && encodedUrl(await sha256(bytesOf(jwk)));
}

async function verifies(key, message, signature) {
  const ed = key.bytes.length === 32;
  let imported;
  try {
    imported = await crypto.subtle.importKey('raw', key.bytes, ed ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  } catch { throw new Doubt('browser-too-old'); }
  return crypto.subtle.verify(ed ? { name: 'Ed25519' } : { name: 'ECDSA', hash: 'SHA-256' }, imported, signature, message);
}

/// The compact document in what was pasted: itself, or the statement of a JSON answer.
function documentOf(text) {
  const trimmed = text.trim();
  if (!trimmed) doubt('nothing-given');
  if (trimmed.length > MAX_PAPER) doubt('too-large');
  if (!trimmed.startsWith('{')) return trimmed;
  const answer = object(trimmed);
  return answer && isText(answer.statement) ? answer.statement : doubt('unreadable');
}

/// What an answer or a problem says that its statement says too: where in the JSON, and where in the statement.
const BOTH = [['answer_id', 'jti'], ['answer_id'], ['decision'], ['document'], ['terms'], ['as_of'], ['freshness'], ['valid_until'],
  ['policy_version'], ['decrees_version'], ['may_deny'], ['reason.code', 'reason'], ['reason.next.window.from', 'renewal_window.from'],
  ['reason.next.window.to', 'renewal_window.to'], ['reason.next.window.decree', 'renewal_window.decree'], ['request_id', 'jti'], ['status'],
  ['code'], ['service'], ['purpose']];
const valueAt = (value, path) => path.split('.').reduce((inside, name) =>
  inside !== null && typeof inside === 'object' && Object.hasOwn(inside, name) ? inside[name] : undefined, value);
/// A value as one text, whatever the order of its members.
const whole = (value) => JSON.stringify(value, (_, inside) => inside !== null && typeof inside === 'object' && !Array.isArray(inside)
  ? Object.fromEntries(Object.entries(inside).sort(([one], [other]) => (one < other ? -1 : 1))) : inside);

/// Only the statement is signed: the JSON that it came in must say the same, as far as it says the same things.
async function agrees(text, claims) {
  const around = text.trim().startsWith('{') ? object(text.trim()) : null;
  if (!around) return;
  if (around.reason !== undefined && (around.reason === null || typeof around.reason !== 'object')) doubt('answer-differs');
  for (const [said, signedAs = said] of BOTH) {
    const value = valueAt(around, said);
    if (value !== undefined && whole(value) !== whole(valueAt(claims, signedAs))) doubt('answer-differs');
  }
  const receipt = valueAt(around, 'receipt.jwt');
  if (receipt !== undefined && (!isText(receipt) || encodedUrl(await sha256(bytesOf(receipt))) !== claims.receipt)) doubt('answer-differs');
}

/// A document whose signature holds, by a key that signed at its time.
async function signed(text, keys) {
  const parts = text.split('.');
  if (text.length > MAX_DOCUMENT) doubt('too-large');
  if (parts.length !== 3) doubt('unreadable');
  const [headerBytes, payloadBytes, signature] = parts.map((part) => decoded(part, 'url') || doubt('unreadable'));
  if (headerBytes.length > MAX_HEADER || signature.length > 64) doubt('unreadable');
  const header = objectOf(headerBytes);
  if (!header || Object.keys(header).sort().join() !== 'alg,kid,typ' || !Object.values(header).every(isText)) doubt('unreadable');
  const kind = Object.hasOwn(KINDS, header.typ) ? KINDS[header.typ] : doubt('other-kind');
  const key = keys.signing.get(header.kid) || doubt('unknown-key');
  if (header.alg !== key.alg) doubt('other-algorithm');
  if (!(await verifies(key, bytesOf(`${parts[0]}.${parts[1]}`), signature))) doubt('wrong-signature');
  if (key.use !== 'statements') doubt('key-of-other-use');
  const claims = objectOf(payloadBytes);
  if (!claims || !wellFormed(kind, claims)) doubt('claims-malformed');
  if (claims.iss !== keys.issuer) doubt('other-issuer');
  const first = claims.iat * 1000, end = first + (kind === 'receipt' ? 86400000 : 1000);
  const stopped = key.until !== null && first > key.until + STILL_SIGNING;
  if (key.from === null || key.from >= end || stopped) doubt('outside-key-life');
  return { text, kind, key, claims, first };
}

function objectOf(bytes) {
  try { return object(UTF8.decode(bytes)); } catch { return null; }
}

function wellFormed(kind, claims) {
  const texts = { answer: ['iss', 'jti', 'aud', 'service', 'decision', 'reason'], refusal: ['iss', 'jti', 'code'], receipt: ['iss', 'jti'] }[kind];
  const numbers = { answer: ['iat', 'exp'], refusal: ['iat', 'status'], receipt: ['iat'] }[kind];
  return texts.every((name) => isText(claims[name])) && numbers.every((name) => Number.isSafeInteger(claims[name]));
}

/// Checks all that is given. Returns what is known of a genuine document, or throws a Doubt.
async function check({ document, statement, proof }, keys) {
  const brought = await signed(documentOf(document), keys);
  const receipt = brought.kind === 'receipt';
  if (statement && !receipt) doubt('statement-of-no-receipt');
  if (receipt && !statement && (proof || brought.key.limit)) doubt('statement-needed');
  let recorded = brought;
  if (receipt && statement) {
    recorded = await signed(documentOf(statement), keys);
    const digest = encodedUrl(await sha256(bytesOf(brought.text)));
    if (recorded.kind !== 'answer' || recorded.claims.receipt !== digest) doubt('statement-of-other');
  }
  const proven = proof ? await included(proof, recorded, keys) : null;
  for (const key of [brought.key, recorded.key]) believe(key, proven, keys);
  await agrees(document, brought.claims);
  if (recorded !== brought) await agrees(statement, recorded.claims);
  const code = receipt ? shortCode(await sha256(bytesOf(brought.text))) : null;
  return { kind: brought.kind, claims: brought.claims, key: brought.key, proven, code, matched: receipt && recorded !== brought };
}

function believe(key, proven, keys) {
  if (!key.limit) return;
  if (!proven) doubt('key-compromised');
  const here = placeOf(proven.origin, keys), limit = placeOf(key.limit.checkpoint.split('\n')[0], keys);
  if (here < 0 || limit < 0) doubt('key-compromised');
  // What is in an older log was there before the later one began.
  if (here > limit || (here === limit && proven.index >= key.limit.tree_size)) doubt('after-compromise');
}

/// The first 60 bits of a digest in Crockford's base 32.
function shortCode(digest) {
  let bits = 0n;
  for (const byte of digest.slice(0, 8)) bits = (bits << 8n) | BigInt(byte);
  let code = '';
  for (let place = 0n; place < 12n; place += 1n) {
    if (place > 0n && place % 4n === 0n) code += '-';
    code += '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Number((bits >> (59n - 5n * place)) & 31n)];
  }
  return code;
}

/// The place in the log that a proof shows (RFC 9162 §2.1.3.2), under a checkpoint of this log.
async function included(text, document, keys) {
  const proof = text.trim().length <= MAX_PAPER ? object(text.trim()) : null;
  const raw = (name, length) => {
    const bytes = proof && isText(proof[name]) ? decoded(proof[name], 'standard') : null;
    return bytes && bytes.length === length ? bytes : doubt('proof-broken');
  };
  const [salt, header, content] = [raw('salt', 32), raw('header', 43), raw('content_commitment', 32)];
  if (!isCount(proof.index) || !Array.isArray(proof.inclusion_path) || proof.inclusion_path.length > MAX_PATH || !isText(proof.checkpoint)) doubt('proof-broken');
  const under = await openedByLog(proof.checkpoint, keys);
  if (!same(header.slice(11), await sha256(bytesOf(document.text)))) doubt('proof-of-other');
  const leaf = await sha256(joined(await sha256(joined(salt, header)), content));
  let node = await sha256(joined([0], leaf)), at = proof.index, last = under.size - 1;
  if (at > last) doubt('proof-broken');
  for (const step of proof.inclusion_path) {
    const sibling = isText(step) ? decoded(step, 'standard') : null;
    if (last === 0 || !sibling || sibling.length !== 32) doubt('proof-broken');
    if (at % 2 === 1 || at === last) {
      node = await sha256(joined([1], sibling, node));
      while (at % 2 === 0 && at !== 0) { at /= 2; last = Math.floor(last / 2); }
    } else node = await sha256(joined([1], node, sibling));
    at = Math.floor(at / 2); last = Math.floor(last / 2);
  }
  if (last !== 0 || !same(node, under.root)) doubt('proof-broken');
  const recorded = Number(new DataView(header.buffer).getBigInt64(1)) / 1000;
  if (header[0] !== 1 || header[10] !== (document.kind === 'refusal' ? 2 : 1) || recorded < document.first) doubt('proof-broken');
  return { origin: under.origin, index: proof.index, size: under.size, recorded };
}

const noteKeyId = async (origin, bytes) => (await sha256(joined(bytesOf(`${origin}\n`), [1], bytes))).slice(0, 4);

/// A checkpoint that a key of the log signed. A key that others may have counts only for the tree from before that.
async function openedByLog(note, keys) {
  if (keys.log.length === 0) doubt('no-log-key');
  const by = async (trusted) => opened(note, trusted);
  const good = await by(keys.log.filter((key) => !key.limit));
  if (good) return good;
  for (const key of keys.log.filter((key) => key.limit)) {
    const found = await by([key]);
    if (!found) continue;
    const before = await opened(key.limit.checkpoint, [key]);
    return before && before.origin === found.origin && before.size === found.size && same(before.root, found.root) ? found : doubt('log-key-compromised');
  }
  return doubt('checkpoint-unsigned');
}

/// A C2SP signed note that is a checkpoint; null if none of the keys signed it, a doubt if one of them did so wrongly.
async function opened(note, trusted) {
  const origin = note.split('\n')[0];
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1), tail = note.slice(end + 2);
  if (end < 1 || !tail.endsWith('\n')) doubt('checkpoint-unsigned');
  let seen = false;
  for (const line of tail.slice(0, -1).split('\n')) {
    const [, name, blob] = /^\u2014 (\S+) (\S+)$/.exec(line) || doubt('checkpoint-unsigned');
    const bytes = decoded(blob, 'standard') || doubt('checkpoint-unsigned');
    const key = trusted.find((key) => name === origin && key.origin === origin && same(key.id, bytes.slice(0, 4)));
    if (!key) continue;
    if (!(await verifies(key, bytesOf(text), bytes.slice(4)))) doubt('checkpoint-unsigned');
    seen = true;
  }
  if (!seen) return null;
  const [named, size, root] = text.split('\n');
  const hash = decoded(root || '', 'standard');
  if (named !== origin || !/^(0|[1-9][0-9]*)$/.test(size) || !isCount(Number(size)) || !hash || hash.length !== 32) doubt('checkpoint-unsigned');
  return { origin, size: Number(size), root: hash };
}
