// Reads and sends the requests of an .http file in the syntax of REST Client for VS Code: as much of it as
// http-file.mjs writes.
import { randomUUID } from "node:crypto";

/** The file's variables and its requests, in order. */
export function parse(text) {
  const [head, ...blocks] = text.split(/^### /m);
  const variables = Object.fromEntries([...head.matchAll(/^@(\w+) = (.*)$/gm)].map((m) => [m[1], m[2]]));
  const requests = blocks.map((block) => {
    const lines = block.split("\n").slice(1);
    const name = lines.map((line) => /^# @name (\w+)$/.exec(line)?.[1]).find(Boolean);
    const start = lines.findIndex((line) => line !== "" && !line.startsWith("#"));
    const end = lines.indexOf("", start);
    const [method, url] = lines[start].split(" ");
    const headers = lines.slice(start + 1, end === -1 ? undefined : end).filter(Boolean).map((line) => line.split(/: (.*)/).slice(0, 2));
    const body = end === -1 ? "" : lines.slice(end + 1).join("\n").trim();
    return { name, method, url, headers, body };
  });
  return { variables, requests };
}

/** Follows a path such as $.data[0].id. */
function pick(value, path) {
  const parts = path.match(/[^.[\]$]+/g) ?? [];
  const found = parts.reduce((part, name) => part?.[name], value);
  if (typeof found !== "string" && typeof found !== "number") throw new Error(`no text and no number at ${path}`);
  return String(found);
}

/** Sends the requests one after the other; answers go to check as they come. */
export async function run({ variables, requests }, check) {
  const answers = {};
  const fill = (text) => text.replace(/\{\{([^}]+)\}\}/g, (_, what) => {
    if (what === "$guid") return randomUUID();
    const of = /^(\w+)\.response\.body\.(\$.*)$/.exec(what);
    if (!of) {
      if (!(what in variables)) throw new Error(`no variable ${what}`);
      return variables[what];
    }
    if (!(of[1] in answers)) throw new Error(`${of[1]} was not sent`);
    return pick(answers[of[1]], of[2]);
  });
  for (const request of requests) {
    const answer = await fetch(fill(request.url), {
      method: request.method,
      headers: request.headers.map(([name, value]) => [name, fill(value)]),
      body: request.body ? fill(request.body) : undefined,
    });
    const text = await answer.text();
    if (answer.headers.get("Content-Type")?.includes("json")) answers[request.name] = JSON.parse(text);
    check(request, answer, text);
  }
}
