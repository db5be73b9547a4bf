// Runs what docs/integration.md shows, as its readers would, against bin/kgl on the sample feeds: the
// programs of examples/, the calls with curl and the requests of gen/http. `make test-clients` runs it.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { load } from "js-yaml";
import ts from "typescript";
import { parse, run as runRequests } from "./http-run.mjs";
import { email, password, startDemo, until } from "./server.mjs";

const root = resolve(import.meta.dirname, "../..");
const contract = load(readFileSync(join(root, "openapi/openapi.yaml"), "utf8"));
const exec = promisify(execFile);

let server, base, frontend;

/** Runs a program with the service and its administrator in the environment. */
async function run(program, ...args) {
  const { stdout } = await exec(program, args, {
    cwd: server.folder, timeout: 60_000,
    env: { PATH: process.env.PATH, BACKEND_URL: base, BACKEND_EMAIL: email, BACKEND_PASSWORD: password },
  });
  return stdout;
}
const example = (name, ...args) => run(join(server.folder, "examples", name), ...args);
const lines = (text) => text.split("\n").filter(Boolean);

/** A place for the refresh token that belongs to one page. */
function pageStore() {
  const kept = new Map();
  return { kept, getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
}
async function login() {
  const session = new frontend.Session(base, pageStore());
  await session.login(email, password);
  return session;
}
const get = async (session, path) => (await session.fetch(path)).json();

before(async () => {
  server = await startDemo();
  base = server.base;
  mkdirSync(join(server.folder, "examples"));
  await exec("go", ["build", "-o", join(server.folder, "examples"), "./..."], { cwd: join(root, "examples") });
  const source = readFileSync(join(root, "examples/frontend/kgl.ts"), "utf8");
  const compiled = join(server.folder, "kgl.mjs");
  writeFileSync(compiled, ts.transpileModule(source, { compilerOptions: { module: "ESNext", target: "ES2022" } }).outputText);
  frontend = await import(pathToFileURL(compiled).href);
  const session = await login();
  await until("the samples are not processed", async () => {
    const { content } = await get(session, "/api/v1/dashboard");
    return content.total >= 100 && content.new + content.processing === 0;
  }, 90);
}, { timeout: 240_000 });

after(() => server?.stop());

test("Publishing: every processed item once, also after a kill", async () => {
  const ledger = join(server.folder, "published.jsonl");
  const first = lines(await example("publishing", "-ledger", ledger)).map((line) => JSON.parse(line));
  assert.ok(first.length >= 90, `${first.length} items`);
  assert.equal(new Set(first.map((item) => item.id)).size, first.length);
  const changes = first.map((i) => Date.parse(i.changed_at));
  assert.deepEqual(changes, changes.toSorted((a, b) => a - b));
  assert.equal(await example("publishing", "-ledger", ledger), "");
  assert.equal(await example("publishing", "-ledger", ledger, "-all"), "");

  // A kill in the middle of the last line: that item, and nothing else, comes again.
  writeFileSync(ledger, readFileSync(ledger, "utf8").slice(0, -20));
  const again = lines(await example("publishing", "-ledger", ledger)).map((line) => JSON.parse(line));
  assert.deepEqual(again.map((item) => item.id), [first.at(-1).id]);

  // -all finds an item that was not seen, however long ago it changed.
  const [oldest, ...rest] = lines(readFileSync(ledger, "utf8"));
  writeFileSync(ledger, rest.map((line) => line + "\n").join(""));
  const all = lines(await example("publishing", "-ledger", ledger, "-all")).map((line) => JSON.parse(line));
  assert.deepEqual(all.map((item) => item.id), [JSON.parse(oldest).id]);
});

test("AI: work by lease, by two at once, through a kill and a stop", { timeout: 180_000 }, async () => {
  const pulled = await startDemo({ KGL_EXTRACTOR: "pull" });
  const program = join(server.folder, "examples", "ai-module");
  const env = { PATH: process.env.PATH, BACKEND_URL: pulled.base, BACKEND_EMAIL: email, BACKEND_PASSWORD: password };
  const begin = (...args) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (text) => (log += text));
    return { child, log: () => log, ended: once(child, "exit").then(([code]) => code) };
  };
  try {
    const session = new frontend.Session(pulled.base, pageStore());
    await session.login(email, password);
    const lane = async () => (await get(session, "/api/v1/work/stats")).lanes.find((one) => one.lane === "ai");
    const all = await until("the tasks do not come", async () => {
      const { content } = await get(session, "/api/v1/dashboard");
      return content.total >= 100 && content.total;
    }, 60);

    // A worker that is killed keeps what it has leased until the leases end.
    const killed = begin("-lease", "10s", "-think", "300ms", "-batch", "4");
    await until(() => `nothing is done: ${killed.log()}`, () => killed.log().includes(": run "));
    killed.child.kill("SIGKILL");
    await killed.ended;
    assert.ok((await lane()).leased >= 1);

    // One that is asked to stop gives all of it back.
    const before = (await lane()).leased;
    const stopped = begin("-think", "20s", "-batch", "6");
    await until("the other worker leases nothing", async () => (await lane()).leased >= before + 6);
    stopped.child.kill("SIGTERM");
    assert.equal(await stopped.ended, 0, stopped.log());
    assert.ok((await lane()).leased <= before);

    const workers = [begin(), begin()]; // they wait for what the killed one left
    await until(() => "the work does not end", async () => {
      const n = await lane();
      return n.done >= all && n.pending + n.waiting + n.leased + n.dead === 0;
    }, 90);
    workers.forEach(({ child }) => child.kill("SIGINT"));
    for (const worker of workers) assert.equal(await worker.ended, 0, worker.log());

    const { content } = await get(session, "/api/v1/dashboard");
    assert.equal(content.new + content.processing + content.failed, 0);
    const { data: items } = await get(session, "/api/v1/content?limit=20&status=processed");
    for (const item of items) {
      const { data: runs } = await get(session, `/api/v1/extraction-runs?content_id=${item.id}`);
      assert.deepEqual(runs.map((one) => [one.extractor, one.status]), [["example-names@1", "current"]]);
      const { data: found } = await get(session, `/api/v1/content/${item.id}/entities`);
      for (const { mentions } of found) {
        for (const { start, end, quote, extractor } of mentions) {
          assert.equal(extractor, "example-names@1");
          assert.equal([...item.content_text].slice(start, end).join(""), quote);
        }
      }
    }
  } finally {
    await pulled.stop();
  }
});

test("AI: without the mock, items wait in state new", async () => {
  const waiting = await startDemo({ KGL_ROLES: "api,ingest" });
  try {
    const session = new frontend.Session(waiting.base, pageStore());
    await session.login(email, password);
    await until("no item waits", async () => (await get(session, "/api/v1/content?status=new&limit=1")).data.length);
    const { data } = await get(session, "/api/v1/content?status=processing&status=processed");
    assert.deepEqual(data, []);
  } finally {
    await waiting.stop();
  }
});

async function everything(session) {
  const feed = new frontend.ContentFeed(session, { limit: 100 });
  while (!feed.done) await feed.more();
  return feed.items;
}

test("Frontend: a list that grows as one scrolls", async () => {
  const session = await login();
  const feed = new frontend.ContentFeed(session, { limit: 40, view: "summary", status: ["processed", "skipped"] });
  let report, observed = true;
  globalThis.IntersectionObserver = class {
    constructor(callback) { report = callback; }
    observe() {}
    disconnect() { observed = false; }
  };
  const shown = [];
  frontend.loadOnScroll(feed, {}, (items) => shown.push(...items));
  await report([{ isIntersecting: false }]);
  assert.equal(shown.length, 0);
  for (let page = 0; observed && page < 50; page++) await report([{ isIntersecting: true }]);
  const wanted = (await everything(session)).filter((item) => ["processed", "skipped"].includes(item.status));
  assert.deepEqual(shown.map((item) => item.id), wanted.map((item) => item.id));
  assert.ok(shown.length > 40 && shown.every((item) => item.content_html === undefined));
});

test("Frontend: a reload keeps the login, many requests renew it once", async (t) => {
  const store = pageStore();
  await new frontend.Session(base, store).login(email, password);
  const sent = t.mock.method(globalThis, "fetch");
  const reloaded = new frontend.Session(base, store);
  const answers = await Promise.all(Array.from({ length: 5 }, () => get(reloaded, "/api/v1/auth/me")));
  assert.ok(answers.every((user) => user.email === email));
  assert.equal(sent.mock.calls.filter(({ arguments: [url] }) => url.endsWith("/auth/refresh")).length, 1);
});

test("Frontend: what goes wrong has a code", async () => {
  const store = pageStore();
  const session = new frontend.Session(base, store);
  await assert.rejects(session.login(email, "not the password"), (e) => e.status === 401 && e.code === "invalid_credentials" && Boolean(e.requestId));
  await assert.rejects(session.fetch("/api/v1/dashboard"), (e) => e.code === "unauthenticated");
  await session.login(email, password);
  await assert.rejects(session.fetch("/api/v1/content?limit=0"), (e) => e.status === 400 && e.code === "invalid_request");
  // The session ends elsewhere: the next call finds out, and the page is to show its login.
  const other = new frontend.Session(base, pageStore());
  other.store.setItem("kgl.refresh_token", store.getItem("kgl.refresh_token"));
  await other.fetch("/api/v1/auth/me");
  await other.logout();
  await assert.rejects(session.fetch("/api/v1/dashboard"), (e) => e.status === 401);
  assert.equal(store.getItem("kgl.refresh_token"), null);
});

test("Frontend: CORS lets configured origins in, and no other", async () => {
  const ask = (origin) => fetch(`${base}/api/v1/content`, {
    method: "OPTIONS",
    headers: { Origin: origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,if-none-match" },
  });
  const granted = await ask("http://localhost:3000");
  assert.equal(granted.status, 204);
  assert.equal(granted.headers.get("Access-Control-Allow-Origin"), "http://localhost:3000");
  for (const name of ["authorization", "if-none-match"]) {
    assert.ok(granted.headers.get("Access-Control-Allow-Headers").toLowerCase().includes(name), name);
  }
  assert.equal((await ask("https://elsewhere.example")).headers.get("Access-Control-Allow-Origin"), null);
});

test("the calls with curl answer as their comments say", async () => {
  const output = await run(join(root, "examples/curl/tour.sh"));
  const statuses = lines(output).filter((line) => /^\d{3}$/.test(line));
  assert.deepEqual(statuses, ["304", "201", "201", "200", "412", "204", "401"]);
  assert.match(output, /"code":"invalid_request"/);
  assert.match(output, /# done\n$/);
});

test("the smaller examples run", async () => {
  assert.equal(lines(await example("latest-content")).length, (await everything(await login())).length);
  const session = await login();
  const { data: [source] } = await get(session, "/api/v1/sources");
  await session.fetch(`/api/v1/sources/${source.id}`, { method: "DELETE" });
  assert.match(await example("watch-source", source.url), /new_content, [1-9]\d* items created/);
});

test("every request of gen/http succeeds as documented", async () => {
  const file = parse(readFileSync(join(root, "gen/http/kgl.http"), "utf8"));
  Object.assign(file.variables, { base, email, password });
  const documented = Object.values(contract.paths).flatMap((item) => Object.values(item));
  assert.deepEqual(file.requests.map((r) => r.name).toSorted(), documented.map((o) => o.operationId).toSorted());
  const check = ({ name }, answer, text) => {
    const { responses } = documented.find((o) => o.operationId === name);
    const wanted = Object.keys(responses).filter((status) => status.startsWith("2"));
    if (name === "cancelSourceImport") wanted.push("409"); // so short an import may have ended
    assert.ok(wanted.includes(String(answer.status)), `${name}: ${answer.status}, not ${wanted}: ${text}`);
  };
  const isWork = ({ name }) => name.endsWith("Work") || name === "getWorkStats";
  await runRequests({ ...file, requests: file.requests.filter((r) => !isWork(r)) }, check);

  // There is work to lease where the AI module comes for it.
  const pulled = await startDemo({ KGL_EXTRACTOR: "pull" });
  try {
    const session = new frontend.Session(pulled.base, pageStore());
    await session.login(email, password);
    await until("no item waits", async () => (await get(session, "/api/v1/content?status=new&limit=10")).data.length >= 3);
    file.variables.base = pulled.base;
    await runRequests({ ...file, requests: file.requests.filter((r) => isWork(r) || r.name === "login") }, check);
  } finally {
    await pulled.stop();
  }
});

test("docs/integration.md names operations, scopes and codes that exist", () => {
  const page = readFileSync(join(root, "docs/integration.md"), "utf8");
  const shape = (path) => path.replace(/\{[^}]+\}/g, "{}");
  const known = new Set(Object.entries(contract.paths).flatMap(([path, item]) => Object.keys(item).map((m) => `${m.toUpperCase()} ${shape(path)}`)));
  const named = [...page.matchAll(/\b(GET|POST|PATCH|DELETE) (\/api\/v1\/[^\s`?"]+)/g)].map(([, method, path]) => `${method} ${shape(path)}`);
  assert.ok(named.length > 15);
  assert.deepEqual(named.filter((one) => !known.has(one)), []);

  const scopes = Object.keys(contract.components.securitySchemes.oauth2.flows.password.scopes);
  const namedScopes = [...page.matchAll(/`([a-z]+:(?:read|write))`/g)].map(([, scope]) => scope);
  assert.deepEqual(new Set(namedScopes), new Set(scopes.filter((scope) => scope !== "profile")));

  const codes = contract.components.schemas.Problem.properties.code.description.match(/: ([^.]*)\./)[1].split(/,\s+/);
  const namedCodes = [...page.matchAll(/^\| \d{3}[\d, ]* \| ([^|]*) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`([a-z_]+)`/g)].map(([, code]) => code));
  // These two stand in the fetch history of a source; no operation of version 1 answers with them.
  assert.deepEqual(new Set([...namedCodes, "fetch_failed", "feed_invalid"]), new Set(codes));
});
