// Drives the receipt page in Debian's Chromium, with every request recorded. Reads its settings as JSON from standard input.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const { url, steps, secret, keys_file: keysFile, screenshots } = JSON.parse(readFileSync(0));
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args });
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const requests = [], complaints = [];
context.on('request', (request) => requests.push(request));
const page = await context.newPage();
page.on('console', (message) => complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));

const response = await page.goto(url);
const policy = response.headers()['content-security-policy'];
for (const rule of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'"]) {
  assert(policy.includes(rule), policy);
}
assert.equal(await page.evaluate(() => `${document.documentElement.lang} ${document.documentElement.dir}`), 'fa rtl');
await page.waitForFunction(() => document.getElementById('keys-state').textContent.startsWith('✔'));
if (keysFile) await page.setInputFiles('#keys-file', keysFile).then(() => page.waitForFunction((issuer) => document.getElementById('keys-state').textContent.includes(issuer), JSON.parse(readFileSync(keysFile)).issuer));
await page.click('#more summary');

async function run({ verdict, code, document = '', statement = '', proof = '', file, shows }) {
  await page.click('#clear');
  for (const [id, text] of Object.entries({ document, statement, proof })) await page.fill(`#${id}`, text);
  // A file that is too large says so by itself, without a check of what is left.
  if (file) await page.setInputFiles('#document-file', { name: 'photo.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(file) });
  else await page.click('#check');
  await page.waitForFunction(() => !globalThis.document.getElementById('result').hidden);
  const said = await page.evaluate(() => ({ ...globalThis.document.getElementById('result').dataset, icon: globalThis.document.getElementById('icon').textContent,
    word: globalThis.document.getElementById('word').textContent, all: globalThis.document.getElementById('result').textContent }));
  const [icon, word] = { 'genuine': ['✔', 'در زمان صدور اصل بوده است'], 'not-genuine': ['✘', 'اصل نیست'], 'cannot-be-checked': ['?', 'نمی‌توان گفت'] }[verdict];
  assert.deepEqual([said.verdict, said.code, said.icon, said.word], [verdict, code, icon, word], `${document.slice(0, 60)}: ${said.all}`);
  if (shows) assert(said.all.includes(shows), `${shows}: ${said.all}`);
  assert((await page.textContent('.notice')).includes('درباره امروز و درباره آورنده چیزی نمی‌گوید'));
}

const loaded = requests.length;
for (const step of steps) await run(step);
// The keys are here: the network is not needed any more.
await context.setOffline(true);
await run(steps[0]);
assert.equal(requests.length, loaded, 'a check makes no request');
for (const [language, direction, words] of [['prs', 'rtl', 'درباره آورنده'], ['en', 'ltr', 'nothing about today or about the bearer']]) {
  await page.click(`[data-lang=${language}]`);
  assert.equal(await page.evaluate(() => `${document.documentElement.lang} ${document.documentElement.dir}`), `${language} ${direction}`);
  assert((await page.textContent('.notice')).includes(words), language);
  assert.equal(await page.evaluate(() => [...document.querySelectorAll('#facts code, #facts bdi')].every((code) => code.dir === 'ltr')), true);
}
await context.setOffline(false);
if (screenshots) {
  for (const language of ['fa', 'prs', 'en']) {
    await page.click(`[data-lang=${language}]`);
    await page.screenshot({ path: `${screenshots}-${language}.png`, fullPage: true });
  }
}

// Nothing but the page, its parts and public keys was asked for; no request carried anything, least of all a receipt.
const allowed = ['/receipt', '/receipt/check.js', '/receipt/style.css', '/.well-known/estelam-keys.json', '/favicon.ico'];
for (const request of requests) {
  const { origin, pathname, search } = new URL(request.url());
  assert.deepEqual([origin, request.method(), request.postData(), search], [new URL(url).origin, 'GET', null, ''], request.url());
  assert(allowed.includes(pathname), pathname);
  const sent = request.url() + JSON.stringify(await request.allHeaders());
  for (const text of secret) assert(!sent.includes(text.slice(0, 24)), pathname);
}
// Even a script that ran in the page could not send to another origin, nor leave by a form or a picture.
const escaped = await page.evaluate(async () => {
  const tried = await fetch('https://elsewhere.localhost/?x', { mode: 'no-cors' }).then(() => 'sent', () => 'refused');
  const image = await new Promise((done) => { const picture = new Image(); picture.onload = () => done('sent'); picture.onerror = () => done('refused'); picture.src = '/receipt/x.png'; });
  return [tried, image, localStorage.length, document.cookie];
});
assert.deepEqual(escaped, ['refused', 'refused', 0, '']);
assert(!complaints.some((text) => secret.some((part) => text.includes(part.slice(0, 24)))), 'the console tells a receipt');
assert.deepEqual(complaints.filter((text) => !text.includes('Content Security Policy') && !text.includes('violates the following') && !text.includes('Failed to load resource')), []);
await browser.close();
