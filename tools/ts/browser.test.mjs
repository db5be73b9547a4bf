// Opens the page that the server has, Swagger UI, in a real browser, logs in there and runs a call. Run
// it with `make e2e-browser`; it needs bin/kgl and a Chromium of this machine.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const program = resolve(import.meta.dirname, "../../bin/kgl");
const email = "browser@example.org";
const password = "correct horse battery staple 42";

const browsers = [
  process.env.KGL_TEST_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

let folder, server, base, browser;
let log = "";

async function freePort() {
  const listener = createServer();
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

/** Starts the demo in a folder of its own and waits until it is ready. */
async function startServer() {
  folder = mkdtempSync(join(tmpdir(), "kgl-browser-"));
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  server = spawn(program, ["demo"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      KGL_ADDR: `127.0.0.1:${port}`,
      KGL_DATABASE_URL: `sqlite:///${join(folder, "kgl.db")}`,
      KGL_ADMIN_EMAIL: email,
      KGL_ADMIN_PASSWORD: password,
    },
  });
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (text) => (log += text));
  const deadline = Date.now() + 30_000;
  for (;;) {
    assert.equal(server.exitCode, null, `the server ended:\n${log}`);
    assert.ok(Date.now() < deadline, `the server did not become ready:\n${log}`);
    const answer = await fetch(`${base}/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
}

before(async () => {
  const executablePath = browsers.find((path) => path && existsSync(path));
  assert.ok(executablePath, "no browser found: install chromium, or set KGL_TEST_CHROMIUM to its path");
  await startServer();
  browser = await chromium.launch({
    executablePath,
    args: [
      "--disable-background-networking", "--disable-component-update", "--disable-quic", "--disable-sync", "--no-first-run",
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  if (server && server.exitCode === null) {
    const ended = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await ended;
  }
  if (folder) rmSync(folder, { recursive: true, force: true });
});

test("Swagger UI opens from the binary, logs in and runs an authorised call", { timeout: 60_000 }, async (t) => {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  t.after(async () => {
    if (process.env.KGL_TEST_SCREENSHOT) await page.screenshot({ path: process.env.KGL_TEST_SCREENSHOT });
  });
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:") && !url.startsWith("blob:")) faults.push(`asks ${url}`);
  });

  await page.goto(`${base}/docs`);
  await page.locator("#operations-content-listContent").waitFor();

  await page.locator(".scheme-container .btn.authorize").click();
  const dialog = page.locator(".modal-ux");
  await dialog.locator("#oauth_username").fill(email);
  await dialog.locator("#oauth_password").fill(password);
  const scopes = dialog.getByText("select all", { exact: true });
  if (await scopes.count()) await scopes.first().click();
  const form = dialog.locator(".auth-container", { has: page.locator("#oauth_username") });
  const [grant] = await Promise.all([
    page.waitForResponse((answer) => answer.url().endsWith("/auth/token")),
    form.locator("button.authorize").click(),
  ]);
  assert.equal(grant.status(), 200, await grant.text());
  await dialog.getByRole("heading", { name: "Authorized", exact: true }).waitFor();
  await dialog.locator(".btn-done, .close-modal").first().click();

  const operation = page.locator("#operations-content-listContent");
  await operation.locator(".opblock-summary-control").click();
  await operation.locator(".try-out__btn").waitFor();
  if (!(await operation.locator(".btn.execute").count())) await operation.locator(".try-out__btn").click();
  const [answer] = await Promise.all([
    page.waitForResponse((answer) => answer.url().startsWith(`${base}/api/v1/content`)),
    operation.locator(".btn.execute").click(),
  ]);
  assert.equal(answer.status(), 200, await answer.text());
  assert.match(await answer.request().headerValue("authorization"), /^Bearer /);
  assert.ok(Array.isArray((await answer.json()).data));
  const shown = operation.locator(".live-responses-table tbody .response-col_status").first();
  await shown.waitFor();
  assert.match(await shown.innerText(), /^200/);

  assert.deepEqual(faults, []);
});
