// A program as a front end would write it: it is compiled, never run, to prove that the generated
// types can be used and mean what they should.
import type { components, operations, paths, Content, Source } from "../../gen/ts/kgl";

type Query = NonNullable<operations["listContent"]["parameters"]["query"]>;
type ContentPage =
  paths["/api/v1/content"]["get"]["responses"][200]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];

const base = "http://127.0.0.1:8000";

async function get<T>(path: string, token: string): Promise<T> {
  const answer = await fetch(base + path, { headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) {
    const problem = (await answer.json()) as Problem;
    throw new Error(`${problem.status} ${problem.code}: ${problem.title}`);
  }
  return (await answer.json()) as T;
}

/** Reads every item of one source, a page at a time. */
export async function* contentOf(source: Source, token: string): AsyncGenerator<Content> {
  const query: Query = { source_id: source.id, limit: 100 };
  for (;;) {
    const search = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)]));
    const page = await get<ContentPage>(`/api/v1/content?${search}`, token);
    yield* page.data;
    if (!page.pagination.has_more || !page.pagination.next_cursor) return;
    query.cursor = page.pagination.next_cursor;
  }
}

/** What a list shows of an item. */
export function line(item: Content): string {
  const when: string = item.published_at ?? item.fetched_at;
  return `${when} ${item.title} <${item.url}> ${item.status}`;
}

/** Fails to compile when the status is open text instead of the documented set. */
export const settled: Record<Content["status"], boolean> = {
  new: false,
  processing: false,
  processed: true,
  failed: true,
  skipped: true,
};
