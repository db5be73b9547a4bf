// Opens the page that the server has, Swagger UI, in a real browser, logs in there and runs a call. Run
// it with `make e2e-browser`; it needs bin/kgl and a Chromium of this machine.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startChromium } from "./chromium.mjs";
import { email, password, startDemo } from "./server.mjs";

let server, base, browser;

before(async () => {
  server = await startDemo();
  base = server.base;
  browser = await startChromium();
}, { timeout: 60_000 });

after(async () => {
  await browser?.close();
  await server?.stop();
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
