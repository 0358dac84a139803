// Draws SVG pages as a printer would see them. Reads a list of SVG and PNG paths as JSON from standard input.
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const page = await (await browser.newContext({ viewport: { width: 330, height: 480 }, deviceScaleFactor: 2 })).newPage();
for (const { svg, png } of JSON.parse(readFileSync(0))) {
  await page.setContent(readFileSync(svg, 'utf8'));
  await page.screenshot({ path: png });
}
await browser.close();
