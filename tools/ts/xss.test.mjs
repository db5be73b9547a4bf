// Case 30: hostile markup goes the whole way of an item (feed, fetch, sanitiser, database, API) and is then
// shown by a real browser. No script may run, nothing active may be loaded, no markup may leave its place,
// and parsing it again may not turn it into something else. Run it with `make e2e-xss`; it needs bin/kgl and
// a Chromium of this machine. The collections of others are read from KGL_SHARED, where there is one.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { startChromium } from "./chromium.mjs";
import { email, password, startDemo, until } from "./server.mjs";
import { live, quiet } from "./xss-payloads.mjs";

const shared = process.env.KGL_SHARED ?? resolve(import.meta.dirname, "../../../shared");

/** The collections: name, file, the field of a payload, and how many there are at least. */
const collections = [
  ["dompurify", "dompurify/expect.json", "payload", 200],
  ["bluemonday", "bluemonday/sanitize_test.json", "In", 500],
  ["miniflux", "miniflux-sanitizer/sanitizer.json", "In", 100],
  ["owasp", "owasp-xss-evasion/payloads.json", "payload", 100],
  ["naughty strings", "naughty-strings/blns.json", undefined, 500],
];

/** All payloads by collection; those of others only where they are. */
function corpora() {
  const own = new Map([["live", live], ["quiet", quiet]]);
  for (const [name, file, field, least] of collections) {
    const path = join(shared, "vectors", file);
    if (!existsSync(path)) continue;
    const payloads = JSON.parse(readFileSync(path, "utf8")).map((one) => (field ? one[field] : one)).filter((one) => typeof one === "string" && one !== "");
    assert.ok(payloads.length >= least, `${path} has ${payloads.length} payloads, want ${least}`);
    own.set(name, payloads);
  }
  return own;
}

/** Serves each collection as a JSON Feed, in which any character can stand. */
async function serveFeeds(all) {
  const names = [...all.keys()];
  const server = createServer((request, answer) => {
    const at = Number(/^\/(\d+)\.json$/.exec(request.url)?.[1] ?? -1);
    if (!names[at]) return void answer.writeHead(404).end();
    const items = all.get(names[at]).map((content_html, i) => ({ id: `payload-${i}`, title: `payload ${i}`, content_html, date_published: "2026-11-22T08:00:00Z" }));
    answer.writeHead(200, { "Content-Type": "application/feed+json" });
    answer.end(JSON.stringify({ version: "https://jsonfeed.org/version/1.1", title: names[at], home_page_url: "https://reader.test/", items }));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { server, url: (name) => `http://127.0.0.1:${server.address().port}/${names.indexOf(name)}.json` };
}

let kgl, feeds, browser, token;
const all = corpora();

async function api(path, options = {}) {
  const answer = await fetch(kgl.base + path, {
    ...options,
    headers: { ...(token && { Authorization: `Bearer ${token}` }), ...(options.body && { "Content-Type": "application/json" }) },
  });
  const body = await answer.json();
  assert.ok(answer.ok, `${path}: ${JSON.stringify(body)}`);
  return body;
}

/** Adds a feed and returns the items that came of it, by the number of their payload. */
async function ingested(name) {
  const source = await api("/api/v1/sources", { method: "POST", body: JSON.stringify({ url: feeds.url(name) }) });
  const wanted = all.get(name).length;
  const found = new Map();
  await until(() => `${name}: ${found.size} of ${wanted} items`, async () => {
    found.clear();
    let query = `source_id=${source.id}&duplicates=show&limit=100`;
    for (let cursor = ""; ; ) {
      const { data, pagination } = await api(`/api/v1/content?${query}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      for (const item of data) found.set(Number(item.guid.slice("payload-".length)), item);
      if (!pagination.has_more) break;
      cursor = pagination.next_cursor;
    }
    return found.size === wanted;
  }, 60);
  return found;
}

before(async () => {
  feeds = await serveFeeds(all);
  kgl = await startDemo({ KGL_ALLOWED_NETWORKS: "127.0.0.0/8", KGL_HOST_DELAY: "0s" });
  token = (await api("/api/v1/auth/login", { method: "POST", body: JSON.stringify({ email, password }) })).access_token;
  browser = await startChromium();
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  await kgl?.stop();
  feeds?.server.closeAllConnections();
  feeds?.server.close();
});

// What may stay: elements and attributes of text, tables and pictures.
const elements = new Set((
  "a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em " +
  "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li main mark meter ol p pre progress q rp rt ruby s samp " +
  "section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
).split(" "));
const attributes = new Set((
  "abbr align alt cite colspan datetime dir headers height high href lang low max min nowrap open optimum rel reversed rowspan scope span src " +
  "start summary title type valign value width"
).split(" "));

/** Runs in the page: what is in root that may not be there. */
function audit([selector, elementList, attributeList]) {
  const faults = [];
  const root = document.querySelector(selector);
  for (const element of root.querySelectorAll("*")) {
    if (element.namespaceURI !== "http://www.w3.org/1999/xhtml" || !elementList.includes(element.localName)) faults.push(`element ${element.localName}`);
    if (element.shadowRoot) faults.push("a shadow root");
    for (const { name, value } of element.attributes) {
      if (!attributeList.includes(name)) faults.push(`attribute ${name}=${value}`);
      if (["href", "src", "cite"].includes(name)) {
        const { protocol, username } = URL.canParse(value) ? new URL(value) : { protocol: "" };
        if (!["http:", "https:"].includes(protocol) && !(protocol === "mailto:" && name !== "src")) faults.push(`${name}=${value}`);
        if (username) faults.push(`a name in ${value}`);
      }
    }
    if (element.localName === "a" && !/\bnofollow\b.*\bnoreferrer\b/.test(element.rel)) faults.push(`a link with rel=${element.rel}`);
    if (element.localName === "img" && (element.width === 1 || element.height === 1) && element.hasAttribute("width")) faults.push("a picture of one pixel");
  }
  return faults;
}

/** Runs in the page: shows the item by innerHTML, and its own markup again and again. */
function again() {
  const item = document.querySelector("#item");
  const copy = document.body.appendChild(document.createElement("div"));
  copy.id = "copy";
  copy.innerHTML = item.innerHTML;
  const first = copy.innerHTML;
  for (let i = 0; i < 3; i++) copy.innerHTML = copy.innerHTML;
  return { stable: copy.innerHTML === first, same: first === item.innerHTML };
}

/** Runs in the page: whether the item is where it was put. */
function inPlace() {
  const [item, behind] = [document.querySelector("#item"), document.querySelector("#behind")];
  return item?.parentElement === document.body && behind?.parentElement === document.body && item.nextElementSibling === behind && !item.contains(behind);
}

/** A page that shows markup and notes what it does. */
class Reader {
  static async open(context) {
    const page = await context.newPage();
    const reader = new Reader();
    Object.assign(reader, { page, noted: [] });
    const note = (what) => reader.noted.push(what);
    await page.exposeFunction("noteRun", note);
    await page.addInitScript(() => {
      for (const name of ["ran", "alert", "confirm", "prompt", "print"]) window[name] = () => window.noteRun(`${name}() was called`);
      addEventListener("securitypolicyviolation", (event) => window.noteRun(`a script: ${event.effectiveDirective} ${event.sample}`));
    });
    page.on("dialog", (dialog) => { note(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("pageerror", (error) => note(`a script failed: ${error}`));
    page.on("popup", (popup) => { note("a window was opened"); popup.close(); });
    page.on("framenavigated", (frame) => { if (frame !== page.mainFrame()) note("a frame was loaded"); });
    await page.route("**/*", (route) => {
      const request = route.request();
      if (request.isNavigationRequest() && request.frame() === page.mainFrame() && request.url() === reader.url) return route.fulfill(reader.document);
      if (request.resourceType() !== "image" && !request.url().endsWith("/favicon.ico")) note(`asks for a ${request.resourceType()}: ${request.url()}`);
      return route.fulfill({ status: 404, body: "" });
    });
    return reader;
  }

  /** Loads a page with the markup in it and returns what was noted. */
  async show(markup, number) {
    this.noted = [];
    this.url = `https://reader.test/${number}`;
    this.document = {
      contentType: "text/html; charset=utf-8",
      // Only reported: scripts run, and are seen even when they do nothing.
      headers: { "Content-Security-Policy-Report-Only": "script-src 'report-sample'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; style-src 'none'; media-src 'none'; connect-src 'none'" },
      body: `<!DOCTYPE html><html lang="en"><head><title>Item</title></head><body><div id="item">${markup}</div><p id="behind">behind</p></body></html>`,
    };
    await this.page.goto(this.url, { waitUntil: "load", timeout: 15_000 }).catch((error) => this.noted.push(`the page did not load: ${error.message.split("\n")[0]}`));
    await this.settle();
    return this.noted;
  }

  /** Waits until what was started by the page has happened. */
  async settle() {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))).catch(() => this.noted.push("the page went away"));
  }
}

test("the browser notices scripts when markup is not sanitised", { timeout: 120_000 }, async () => {
  const context = await browser.newContext();
  const unnoticed = [];
  for (const [i, markup] of live.entries()) {
    const reader = await Reader.open(context);
    const noted = await reader.show(markup, i);
    if (!noted.some((what) => what === "ran() was called")) unnoticed.push(markup);
    await reader.page.close();
  }
  await context.close();
  assert.deepEqual(unnoticed, []);
});

for (const name of all.keys()) {
  test(`${name}: no script runs (case 30)`, { timeout: 300_000 }, async (t) => {
    const items = await ingested(name);
    const context = await browser.newContext();
    const reader = await Reader.open(context);
    const faults = [];
    let shown = 0;
    for (const [number, { content_html: markup }] of items) {
      const found = [...(await reader.show(markup, number))];
      if (!(await reader.page.evaluate(inPlace))) found.push("the page around the item was changed");
      found.push(...(await reader.page.evaluate(audit, ["#item", [...elements], [...attributes]])));
      const { stable } = await reader.page.evaluate(again);
      if (!stable) found.push("its own markup is read as something else");
      await reader.settle();
      found.push(...reader.noted.filter((what) => !found.includes(what)));
      found.push(...(await reader.page.evaluate(audit, ["#copy", [...elements], [...attributes]])));
      if (found.length) faults.push({ payload: all.get(name)[number], markup, found });
      shown++;
    }
    await context.close();
    assert.deepEqual(faults, []);
    assert.equal(shown, all.get(name).length);
    assert.ok(shown >= 40, `only ${shown} payloads`);
    t.diagnostic(`${shown} payloads of ${name}`);
  });
}

test("the collections of others were there", { skip: all.size > 2 ? false : `no collections at ${shared}: set KGL_SHARED` }, () => {
  assert.equal(all.size, 2 + collections.length);
});
