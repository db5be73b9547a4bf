// Starts bin/kgl on the sample feeds, for tests that use it from outside.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const program = resolve(import.meta.dirname, "../../bin/kgl");

export const email = "tester@example.org";
export const password = "correct horse battery staple 42";

async function freePorts(count) {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports = [];
  for (const listener of listeners) {
    if (!listener.listening) await once(listener, "listening");
    ports.push(listener.address().port);
  }
  for (const listener of listeners) await new Promise((done) => listener.close(done));
  return ports;
}

/** Waits until check answers with something. why tells what was waited for. */
export async function until(why, check, seconds = 30) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await check();
    if (answer) return answer;
    assert.ok(Date.now() < deadline, `${typeof why === "function" ? why() : why}: not within ${seconds} s`);
    await sleep(50);
  }
}

/** A demo in a folder of its own, ready. */
export async function startDemo(environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), "kgl-demo-"));
  const [port, feeds] = await freePorts(2);
  const base = `http://127.0.0.1:${port}`;
  let log = "";
  const server = spawn(program, ["demo", "--feeds-addr", `127.0.0.1:${feeds}`], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      KGL_ADDR: `127.0.0.1:${port}`,
      KGL_DATABASE_URL: `sqlite:///${join(folder, "kgl.db")}`,
      KGL_ADMIN_EMAIL: email,
      KGL_ADMIN_PASSWORD: password,
      ...environment,
    },
  });
  for (const stream of [server.stdout, server.stderr]) stream.on("data", (text) => (log += text));
  const ended = new Promise((done) => server.once("exit", done));
  async function stop() {
    if (server.exitCode === null) server.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
  try {
    await until(() => `the server is not ready:\n${log}`, async () => {
      assert.equal(server.exitCode, null, `the server ended:\n${log}`);
      const answer = await fetch(`${base}/ready`).catch(() => undefined);
      return answer?.ok;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { base, folder, stop };
}
