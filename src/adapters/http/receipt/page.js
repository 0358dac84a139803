
// The page itself: languages, fields, the result. No text from a receipt ever leaves this script.

const $ = (id) => document.getElementById(id);
let language = 'fa', keys = null, keysState = 'keysNone', shown = null;
const words = () => WORDS[language];

function speak(chosen) {
  language = Object.hasOwn(WORDS, chosen) ? chosen : 'fa';
  document.documentElement.lang = language;
  document.documentElement.dir = DIRECTIONS[language];
  document.title = words().title;
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = words()[element.dataset.t];
  for (const button of document.querySelectorAll('.lang')) button.setAttribute('aria-pressed', String(button.dataset.lang === language));
  showKeys();
  if (shown) show(shown);
}

/// A code within text of either direction.
function code(text) {
  const bdi = document.createElement('bdi');
  bdi.dir = 'ltr';
  bdi.textContent = text;
  return bdi;
}

function showKeys() {
  $('keys-state').replaceChildren(words()[keysState], ...(keysState === 'keysHere' ? [' ', code(keys.issuer)] : []));
}

function date(milliseconds, whole) {
  const style = whole ? { dateStyle: 'long' } : { dateStyle: 'long', timeStyle: 'medium' };
  const text = new Intl.DateTimeFormat(DATES[language], { ...style, timeZone: 'Asia/Tehran' }).format(milliseconds);
  if (language !== 'en') return text;
  const jalali = new Intl.DateTimeFormat('en-GB-u-ca-persian', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'Asia/Tehran' });
  return `${text} (${jalali.format(milliseconds).replace(/ AP$/, '')})`;
}

const ICONS = { 'genuine': '✔', 'not-genuine': '✘', 'cannot-be-checked': '?' };

function show(result) {
  shown = result;
  const verdict = result.genuine ? 'genuine' : FALSE.has(result.code) ? 'not-genuine' : 'cannot-be-checked';
  const section = $('result');
  section.hidden = false;
  section.className = verdict;
  section.dataset.verdict = verdict;
  section.dataset.code = result.code || '';
  $('icon').textContent = ICONS[verdict];
  $('word').textContent = words()[verdict];
  $('why').textContent = result.genuine ? '' : words().doubts[result.code];
  const rows = result.genuine ? facts(result.genuine) : [];
  $('facts').replaceChildren(...rows.flatMap(([term, ...values]) => {
    const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
    dt.textContent = term;
    dd.replaceChildren(...values);
    return [dt, dd];
  }));
}

function facts({ kind, claims, key, proven, code: short, matched }) {
  const w = words(), at = claims.iat * 1000;
  const rows = [[w.kind, w[kind]], kind === 'receipt' ? [w.day, date(at, true)] : [w.issued, date(at, false)]];
  if (kind === 'answer') {
    const outcome = Object.hasOwn(w.decisions, claims.decision) ? w.decisions[claims.decision] : null;
    rows.push([w.audience, code(claims.aud)], [w.expires, date(claims.exp * 1000, false)], [w.service, code(claims.service)],
      [w.decision, ...(outcome ? [outcome] : [code(claims.decision)])], [w.reason, code(claims.reason)], [w.id, code(claims.jti)]);
  } else if (kind === 'refusal') {
    rows.push([w.audience, code(isText(claims.aud) ? claims.aud : '–')], [w.refused, code(claims.code)], [w.id, code(claims.jti)]);
  } else {
    rows.push([w.code, code(short)]);
    if (matched) rows.push([w.matched, w.matches]);
  }
  const entry = proven && w.entry.replace('{index}', proven.index).replace('{size}', proven.size).replace('{recorded}', date(proven.recorded, false));
  rows.push([w.log, entry || w.noProof], [w.key, code(key.kid)]);
  return rows;
}

async function run() {
  const given = { document: $('document').value, statement: $('statement').value.trim(), proof: $('proof').value.trim() };
  try {
    if (!keys) doubt('keys-missing');
    show({ genuine: await check(given, keys) });
  } catch (error) {
    // A fault of this script must never look like a receipt that is false.
    show({ code: error instanceof Doubt ? error.code : 'browser-too-old' });
  }
}

async function takeKeys(text) {
  try {
    keys = await readKeys(text);
    keysState = 'keysHere';
  } catch (error) {
    keysState = error instanceof Doubt && error.code !== 'browser-too-old' ? 'keysMalformed' : 'keysFailed';
  }
  showKeys();
}

/// The only request of this page, and it carries nothing.
async function fetchKeys() {
  try {
    const options = { credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store', redirect: 'error' };
    const response = await fetch('/.well-known/estelam-keys.json', options);
    if (!response.ok) throw new Error('no keys');
    await takeKeys(await response.text());
  } catch {
    keysState = keys ? 'keysHere' : 'keysFailed';
    showKeys();
  }
}

/// A file's text; null if it is larger than that.
async function fileText(input, most) {
  const file = input.files[0];
  input.value = '';
  if (!file) return '';
  return file.size <= most ? file.text() : null;
}

document.querySelectorAll('.lang').forEach((button) => button.addEventListener('click', () => speak(button.dataset.lang)));
document.querySelectorAll('[data-into]').forEach((input) => input.addEventListener('change', async () => {
  const text = await fileText(input, MAX_PAPER);
  $(input.dataset.into).value = text || '';
  if (text === null) show({ code: 'too-large' });
}));
$('keys-file').addEventListener('change', async (event) => takeKeys((await fileText(event.target, MAX_KEYS)) || ''));
$('keys-fetch').addEventListener('click', fetchKeys);
$('form').addEventListener('submit', (event) => { event.preventDefault(); run(); });
$('form').addEventListener('reset', () => { shown = null; $('result').hidden = true; });
speak(location.hash.slice(1));
window.addEventListener('hashchange', () => speak(location.hash.slice(1)));
fetchKeys();
