// Writes every operation of the contract as a request of an .http file, for the REST clients of editors
// (the syntax is that of REST Client for VS Code):
//
//   node tools/ts/http-file.mjs openapi/openapi.yaml > gen/http/kgl.http
//
// Run from top to bottom, the requests make, read, change and delete one of each thing.
import { readFileSync } from "node:fs";
import { load } from "js-yaml";

const contract = load(readFileSync(process.argv[2], "utf8"));
const methods = ["get", "post", "patch", "delete"];

/** Follows a $ref. */
function at(node) {
  if (!node?.$ref) return node;
  return at(node.$ref.slice(2).split("/").reduce((part, name) => part[name], contract));
}

/** Every operation with its path and method. */
const operations = Object.entries(contract.paths).flatMap(([path, item]) =>
  methods.filter((method) => item[method]).map((method) => ({ path, method, ...item[method] })));

// ---- order: things are made before they are read, changed and deleted; what ends a session comes last

const last = ["refreshTokens", "logout", "issueToken", "changePassword"];

/** Requests that others build on, or that would come after the end of what they are about. */
const early = { leaseWork: ["/api/v1/work", 1.5], undoEntityMerge: ["/api/v1/entities", 4.5] };

function rank({ operationId, path, method }) {
  if (operationId === "login") return [0];
  if (last.includes(operationId)) return [2, last.indexOf(operationId)];
  if (operationId in early) {
    const [collection, step] = early[operationId];
    return [1, operations.findIndex((o) => o.path === collection), step];
  }
  const collection = path.replace(/\/\{.*/, "");
  const first = operations.findIndex((o) => o.path === collection || o.path === path);
  const ownItem = /\{[^/]*\}$/.test(path);
  const step = method === "post" && path === collection ? 0 : method === "delete" ? (ownItem ? 6 : 5) : method === "patch" ? 4 :
    !path.includes("{") ? 1 : ownItem ? 2 : 3;
  return [1, first, step];
}
function byRank(a, b) {
  const [x, y] = [rank(a), rank(b)];
  for (let i = 0; i < Math.max(x.length, y.length); i++) if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) - (y[i] ?? 0);
  return 0;
}

// ---- one request

/** Requests about leased work, with the task of the lease that each is about. */
const leased = { extendWork: 0, completeWork: 0, failWork: 1, releaseWork: 2 };
const lease = (id, field) => `{{leaseWork.response.body.$.data[${leased[id]}].${field}}}`;

/** Where the id of a path comes from: the thing that was made, else the first of the list. */
function idOf({ path, operationId }, parameter) {
  if (parameter === "{merge_id}") return "{{mergeEntities.response.body.$.id}}";
  if (operationId in leased) return lease(operationId, "id");
  const collection = path.slice(0, path.indexOf("/{"));
  const made = contract.paths[collection].post;
  return made ? `{{${made.operationId}.response.body.$.id}}` : `{{${contract.paths[collection].get.operationId}.response.body.$.data[0].id}}`;
}

/** Values of the reader's installation take the place of those of an example. */
const own = {
  login: { email: "{{email}}", password: "{{password}}" },
  issueToken: { username: "{{email}}", password: "{{password}}" },
  changePassword: { current_password: "{{password}}" },
  refreshTokens: { refresh_token: "{{login.response.body.$.refresh_token}}" },
  logout: { refresh_token: "{{refreshTokens.response.body.$.refresh_token}}" },
  updateSource: { consents: { ai_processing: false } }, // so that what was derived can be purged
  mergeEntities: { entity_ids: ["{{listEntities.response.body.$.data[1].id}}"] },
  createRelationship: {
    from_entity_id: "{{listEntities.response.body.$.data[2].id}}", to_entity_id: "{{listEntities.response.body.$.data[3].id}}",
  },
  completeWork: { entities: [], relationships: [] }, // the example's are of another text
  linkContentDuplicate: { duplicate_of: "{{listContent.response.body.$.data[1].id}}" },
};
const relationship = "{{listRelationships.response.body.$.data[0]";
const ownQuery = {
  getNeighborhood: { id: `${relationship}.from.id}}` },
  getPath: { from: `${relationship}.from.id}}`, to: `${relationship}.to.id}}` },
};
const token = (id) => (id === "changePassword" ? "issueToken" : "login");

function body(operation) {
  const [type, media] = Object.entries(operation.requestBody.content)[0];
  if (typeof media.example === "string") return { type, text: media.example };
  const value = { ...media.example, ...own[operation.operationId] };
  if (operation.operationId in leased) value.lease_token = lease(operation.operationId, "lease_token");
  const text = type === "application/json" ? JSON.stringify(value, null, 2).replace(/"(\{\{[^"]*\.lease_token\}\})"/, "$1") : // a number
    Object.entries(value).map(([k, v]) => `${k}=${String(v).startsWith("{{") ? v : encodeURIComponent(v)}`).join("&");
  return { type, text };
}

/** The query of a request: what the operation needs, from the reader's installation or the contract's example. */
function query({ operationId }, parameters) {
  const needed = parameters.filter((p) => p.in === "query" && p.required)
    .map((p) => `${p.name}=${ownQuery[operationId]?.[p.name] ?? encodeURIComponent([p.example].flat()[0])}`);
  if (parameters.some((p) => p.name === "limit")) needed.push("limit=20");
  return needed.length ? `?${needed.join("&")}` : "";
}

function request(operation) {
  const { operationId, path, method, summary, security } = operation;
  const parameters = (operation.parameters ?? []).map(at);
  const optional = parameters.filter((p) => p.in !== "path" && !["limit", "cursor", "Idempotency-Key"].includes(p.name));
  const lines = [`### ${summary}`, `# @name ${operationId}`];
  const scopes = security?.flatMap((s) => s.oauth2 ?? []) ?? [];
  if (scopes.length) lines.push(`# scope: ${scopes.join(" ")}`);
  for (const p of optional) lines.push(`# ${p.in === "query" ? "?" : ""}${p.name}: ${p.description}`);
  lines.push(`${method.toUpperCase()} {{base}}${path.replace(/\{[^}]+\}/g, (parameter) => idOf(operation, parameter))}${query(operation, parameters)}`);
  if (security?.length) lines.push(`Authorization: Bearer {{${token(operationId)}.response.body.$.access_token}}`);
  if (parameters.some((p) => p.name === "Idempotency-Key")) lines.push("Idempotency-Key: {{$guid}}");
  if (operation.requestBody) {
    const { type, text } = body(operation);
    lines.push(`Content-Type: ${type}`, "", text);
  }
  return lines.join("\n");
}

console.log([
  `# ${contract.info.title} ${contract.info.version}. Generated from the contract; do not edit.`,
  "#",
  "# Set the password first, send login, then any other request. An id in a path is that of the thing that the",
  "# file makes, so send its create request before. Beware: deleteContent deletes the newest item, and",
  "# changePassword changes the password above.",
  "",
  "@base = http://127.0.0.1:8000",
  "@email = admin@kgl.local",
  "@password = THE PASSWORD",
  "",
  operations.toSorted(byRank).map(request).join("\n\n"),
].join("\n"));
