// Proves that compat.sh finds what breaks a client and lets pass what does not, in small repositories of
// its own with a small contract. OASDIFF names the program; `make verify-compat` sets it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const script = join(import.meta.dirname, "compat.sh");
const folder = mkdtempSync(join(tmpdir(), "kgl-compat-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const released = `openapi: 3.0.3
info:
  title: fixture
  version: 1.0.0
paths:
  /things:
    get:
      operationId: listThings
      parameters:
        - {name: order, in: query, schema: {type: string, enum: [new, old]}}
        - {name: colour, in: query, schema: {type: string}}
      responses:
        "200":
          description: Things
          headers:
            ETag: {schema: {type: string}}
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
    post:
      operationId: createThing
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/ThingCreate"}
      responses:
        "201": {description: Created}
components:
  schemas:
    Thing:
      type: object
      required: [id]
      properties:
        id: {type: string}
        note: {type: string}
        state: {type: string, enum: [good, bad]}
    ThingCreate:
      type: object
      additionalProperties: false
      properties:
        note: {type: string, maxLength: 100}
        size: {type: integer}
`;

/** Puts the replacements into the released contract; each must hit. */
function changed(...replacements) {
  return replacements.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `the fixture has no ${from}`);
    return text.replace(from, to);
  }, released);
}
const raised = ["version: 1.0.0", "version: 1.1.0"];

let repositories = 0;
function git(cwd, ...args) {
  return execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.org", ...args], { cwd, encoding: "utf8" });
}

/** A repository whose first commit holds the released contract, tagged unless tags is false. */
function repository({ tags = true } = {}) {
  const at = join(folder, String(repositories++));
  mkdirSync(join(at, "openapi"), { recursive: true });
  git(at, "init", "--quiet", "--initial-branch=main");
  write(at, released);
  git(at, "add", "openapi");
  git(at, "commit", "--quiet", "-m", "release");
  if (tags) git(at, "tag", "v1.0.0");
  return at;
}
const write = (at, contract) => writeFileSync(join(at, "openapi/openapi.yaml"), contract);

function compat(at, env = {}) {
  const { BASE: _, ...rest } = process.env;
  const run = spawnSync(script, [], { cwd: at, encoding: "utf8", env: { ...rest, ...env } });
  assert.equal(run.error, undefined);
  return { status: run.status, text: run.stdout + run.stderr };
}

/** Checks a contract against the released one. */
function check(contract) {
  const at = repository();
  write(at, contract);
  return compat(at);
}

const breaking = {
  "a field of an answer is removed": [["        note: {type: string}\n", ""]],
  "a required field of an answer becomes optional": [["      required: [id]\n", ""]],
  "a header of an answer is removed": [["          headers:\n            ETag: {schema: {type: string}}\n", ""]],
  "a parameter becomes required": [["name: colour, in: query,", "name: colour, in: query, required: true,"]],
  "a required parameter is added": [["        - {name: colour", "        - {name: shape, in: query, required: true, schema: {type: string}}\n        - {name: colour"]],
  "a parameter is removed": [["        - {name: colour, in: query, schema: {type: string}}\n", ""]],
  "an enum of a request is narrowed": [["enum: [new, old]", "enum: [new]"]],
  "a field of a closed body is removed": [["        size: {type: integer}\n", ""]],
  "a bound of a body is narrowed": [["maxLength: 100", "maxLength: 50"]],
  "a type is changed": [["        id: {type: string}", "        id: {type: integer}"]],
  "an operation is renamed": [["operationId: listThings", "operationId: readThings"]],
  "an operation goes without notice": [[/ {4}post:[^]*?Created\}\n/.exec(released)[0], ""]],
  "an operation is deprecated without a day of its end": [["      operationId: createThing", "      deprecated: true\n      operationId: createThing"]],
  "an operation is deprecated with a day too near": [["      operationId: createThing", `      deprecated: true\n      x-sunset: "${day(30)}"\n      operationId: createThing`]],
};
for (const [name, replacements] of Object.entries(breaking)) {
  test(`found: ${name}`, () => {
    const { status, text } = check(changed(raised, ...replacements));
    assert.equal(status, 1, text);
    assert.match(text, /breaks clients of v1\.0\.0/);
  });
}

const additive = {
  "nothing but the version": [],
  "an optional field of an answer": [["        note: {type: string}\n", "        note: {type: string}\n        extra: {type: string}\n"]],
  "an optional parameter": [["        - {name: colour", "        - {name: shape, in: query, schema: {type: string}}\n        - {name: colour"]],
  "an optional field of a body": [["        size: {type: integer}\n", "        size: {type: integer}\n        extra: {type: string}\n"]],
  "a value of an enum in an answer": [["enum: [good, bad]", "enum: [good, bad, ugly]"]],
  "a value of an enum in a request": [["enum: [new, old]", "enum: [new, old, best]"]],
  "an operation": [["  /things:\n", "  /others:\n    get:\n      operationId: listOthers\n      responses:\n        \"200\": {description: Others}\n  /things:\n"]],
  "a deprecation in time": [["      operationId: createThing", `      deprecated: true\n      x-sunset: "${day(200)}"\n      operationId: createThing`]],
};
for (const [name, replacements] of Object.entries(additive)) {
  test(`let pass: ${name}`, () => {
    const { status, text } = check(changed(raised, ...replacements));
    assert.equal(status, 0, text);
    assert.match(text, /compatible with v1\.0\.0/);
  });
}

function day(fromNow) {
  return new Date(Date.now() + fromNow * 86_400_000).toISOString().slice(0, 10);
}

test("a changed contract needs a higher version than the release", () => {
  const { status, text } = check(changed(["title: fixture", "title: other"]));
  assert.equal(status, 1, text);
  assert.match(text, /raise info\.version/);
  assert.equal(check(changed(["title: fixture", "title: other"], ["version: 1.0.0", "version: 0.9.0"])).status, 1);
});

test("the highest release counts, other tags do not", () => {
  const at = repository();
  write(at, changed(raised, ["        - {name: colour", "        - {name: shape, in: query, schema: {type: string}}\n        - {name: colour"]));
  git(at, "commit", "--quiet", "-am", "next");
  for (const tag of ["v1.10.0", "v1.11.0-rc.1", "vnext"]) git(at, "tag", tag);
  write(at, changed(["version: 1.0.0", "version: 1.20.0"]));
  const { status, text } = compat(at);
  assert.equal(status, 1, text);
  assert.match(text, /shape/);
  assert.match(text, /breaks clients of v1\.10\.0/);
});

test("a break that a person accepted passes, another one does not", () => {
  const at = repository();
  const removed = changed(raised, ["        note: {type: string}\n", ""]);
  write(at, removed);
  mkdirSync(join(at, "tools/compat"), { recursive: true });
  writeFileSync(join(at, "tools/compat/accepted.txt"), "GET /things removed the optional property `note` from the response with the `200` status\n");
  const { status, text } = compat(at);
  assert.equal(status, 0, text);
  write(at, removed.replace("maxLength: 100", "maxLength: 50"));
  assert.equal(compat(at).status, 1);
});

test("BASE names another commit, whose version may be the same", () => {
  const at = repository({ tags: false });
  write(at, changed(["        size: {type: integer}\n", "        size: {type: integer}\n        extra: {type: string}\n"]));
  assert.match(compat(at, { BASE: "HEAD" }).text, /compatible with HEAD/);
  write(at, changed(["        note: {type: string}\n", ""]));
  assert.equal(compat(at, { BASE: "main" }).status, 1);
  const unknown = compat(at, { BASE: "no-such-ref" });
  assert.equal(unknown.status, 1);
  assert.match(unknown.text, /not a commit of this clone/);
});

test("without a release it says that there is nothing to compare with", () => {
  const { status, text } = compat(repository({ tags: false }));
  assert.equal(status, 0, text);
  assert.match(text, /nothing to compare with/);
});

test("outside of a repository there is nothing to compare with, in a broken one that is an error", () => {
  const plain = mkdtempSync(join(tmpdir(), "kgl-compat-plain-"));
  try {
    const { status, text } = compat(plain);
    assert.equal(status, 0, text);
    assert.match(text, /not a git repository/);
    writeFileSync(join(plain, ".git"), "gitdir: /nowhere");
    assert.equal(compat(plain).status, 1);
  } finally {
    rmSync(plain, { recursive: true, force: true });
  }
});

test("a shallow clone without tags fetches the releases", () => {
  const origin = repository();
  write(origin, changed(raised, ["        note: {type: string}\n", ""]));
  git(origin, "commit", "--quiet", "-am", "break it");
  const clone = join(folder, "clone");
  git(folder, "clone", "--quiet", "--depth=1", "--no-tags", pathToFileURL(origin).href, clone);
  assert.equal(git(clone, "tag").trim(), "");
  const { status, text } = compat(clone);
  assert.equal(status, 1, text);
  assert.match(text, /breaks clients of v1\.0\.0/);
});

test("a shallow clone whose origin is gone says so", () => {
  const origin = repository({ tags: false });
  const clone = join(folder, "orphan");
  git(folder, "clone", "--quiet", "--depth=1", pathToFileURL(origin).href, clone);
  rmSync(origin, { recursive: true });
  const { status, text } = compat(clone);
  assert.equal(status, 0, text);
  assert.match(text, /could not be asked/);
  assert.match(text, /nothing to compare with/);
});

test("a contract that cannot be read is not called a break", () => {
  const { status, text } = check("openapi: [");
  assert.equal(status, 1, text);
  assert.match(text, /could not compare/);
});

const module = `openapi: 3.0.3
info:
  title: fixture of a module
  version: 1.0.0
paths:
  /work:
    post:
      operationId: work
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [text]
              properties:
                text: {type: string, maxLength: 100}
                title: {type: string}
      responses:
        "200":
          description: Done
          content:
            application/json:
              schema:
                type: object
                required: [state]
                properties:
                  state: {type: string, enum: [good, bad]}
                  note: {type: string, maxLength: 50}
        "202": {description: Later}
`;

/** Checks a contract of the AI module against the released one. */
function checkModule(...replacements) {
  const at = repository({ tags: false });
  const file = join(at, "openapi/ai.yaml");
  writeFileSync(file, module);
  git(at, "add", "openapi");
  git(at, "commit", "--quiet", "-m", "with a module");
  git(at, "tag", "v1.0.0");
  writeFileSync(file, replacements.reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `the fixture has no ${from}`);
    return text.replace(from, to);
  }, module));
  return compat(at);
}

for (const [name, ...replacements] of [
  ["a field of an answer becomes required", ["required: [state]", "required: [state, note]"]],
  ["a field of a request is not promised any more", ["              required: [text]\n", ""]],
  ["texts become longer", ["maxLength: 100", "maxLength: 200"]],
  ["less of an answer is taken", ["maxLength: 50", "maxLength: 20"]],
  ["a value of an answer is not known any more", ["enum: [good, bad]", "enum: [good]"]],
  ["an answer is not understood any more", ['        "202": {description: Later}\n', ""]],
  ["an operation is added", ["paths:\n", 'paths:\n  /more:\n    get: {operationId: more, responses: {"200": {description: More}}}\n']],
]) {
  test(`found in the AI module's contract: ${name}`, () => {
    const { status, text } = checkModule(raised, ...replacements);
    assert.equal(status, 1, text);
    assert.match(text, /built on v1\.0\.0 does not do/);
  });
}

for (const [name, ...replacements] of [
  ["nothing but the version"],
  ["an optional field of an answer", ["                  note:", "                  more: {type: string}\n                  note:"]],
  ["a field of a request", ["                title: {type: string}", "                title: {type: string}\n                more: {type: string}"]],
  ["a required field of a request", ["required: [text]", "required: [text, more]"], ["                title: {type: string}", "                title: {type: string}\n                more: {type: string}"]],
  ["a field of a request is dropped", ["                title: {type: string}\n", ""]],
  ["a value of an answer", ["enum: [good, bad]", "enum: [good, bad, ugly]"]],
]) {
  test(`let pass in the AI module's contract: ${name}`, () => {
    const { status, text } = checkModule(raised, ...replacements);
    assert.equal(status, 0, text);
    assert.match(text, /compatible with v1\.0\.0/);
  });
}

test("a changed contract of the AI module needs a higher version, too", () => {
  const { status, text } = checkModule(["title: fixture of a module", "title: other"]);
  assert.equal(status, 1, text);
  assert.match(text, /ai\.yaml differs .* raise info\.version/);
});
