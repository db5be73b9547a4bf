// The backend as a page uses it: log in, stay logged in, read a list that grows as one scrolls. It uses
// the generated types and fetch, nothing else.
import type { components, operations, paths, Content, TokenSet, User } from "../../gen/ts/kgl";

type Problem = components["schemas"]["Problem"];
type ContentQuery = NonNullable<operations["listContent"]["parameters"]["query"]>;
type ContentPage = paths["/api/v1/content"]["get"]["responses"][200]["content"]["application/json"];

// region problem

/** An answer that says what went wrong. Decide by status and code; texts may change. */
export class ProblemError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly requestId: string | undefined,
    /** Seconds to wait, with 429 and 503. */
    readonly retryAfter: number | undefined,
    message: string,
  ) {
    super(message);
  }

  static async from(answer: Response): Promise<ProblemError> {
    const after = Number(answer.headers.get("Retry-After"));
    // What stands between page and service may answer in other shapes.
    const problem: Partial<Problem> = await answer.json().catch(() => ({}));
    return new ProblemError(
      answer.status, problem.code ?? "unknown", problem.request_id, after > 0 ? after : undefined,
      problem.detail ?? answer.statusText,
    );
  }
}

// endregion problem

// region session

/** Where the refresh token survives a reload: sessionStorage in a page. */
export type TokenStore = Pick<Storage, "getItem" | "setItem" | "removeItem">;
const storedAs = "kgl.refresh_token";

/** One login. The access token stays in memory; every request of the page goes through fetch. */
export class Session {
  #access: string | undefined;
  #renewing: Promise<void> | undefined;

  constructor(readonly base: string, readonly store: TokenStore) {}

  async login(email: string, password: string): Promise<User> {
    const tokens = await this.#exchange("/api/v1/auth/login", { email, password });
    return tokens.user;
  }

  /** Sends a request with the access token, and renews the token when it has ended. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    if (!this.#access) await this.#renew();
    let answer = await this.#send(path, init);
    if (answer.status === 401) {
      await this.#renew();
      answer = await this.#send(path, init);
    }
    if (!answer.ok && answer.status !== 304) throw await ProblemError.from(answer);
    return answer;
  }

  async logout(): Promise<void> {
    const refresh_token = this.store.getItem(storedAs);
    this.store.removeItem(storedAs);
    if (!this.#access || !refresh_token) return;
    await this.#send("/api/v1/auth/logout", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ refresh_token }),
    });
    this.#access = undefined;
  }

  #send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${this.#access}`);
    return fetch(this.base + path, { ...init, headers });
  }

  /** Many requests may find the token ended at once; the refresh token is used once. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#refresh().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #refresh(): Promise<void> {
    const refresh_token = this.store.getItem(storedAs);
    if (!refresh_token) throw new ProblemError(401, "unauthenticated", undefined, undefined, "Log in first.");
    try {
      await this.#exchange("/api/v1/auth/refresh", { refresh_token });
    } catch (error) {
      // Refused: the session is over, show the login. Anything else, such as no network, is not.
      if (error instanceof ProblemError && error.status === 401) this.store.removeItem(storedAs);
      throw error;
    }
  }

  async #exchange(path: string, body: object): Promise<TokenSet> {
    const answer = await fetch(this.base + path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw await ProblemError.from(answer);
    const tokens: TokenSet = await answer.json();
    this.#access = tokens.access_token;
    this.store.setItem(storedAs, tokens.refresh_token);
    return tokens;
  }
}

// endregion session

// region scroll

/** A list of content that grows by a page each time more() is called. */
export class ContentFeed {
  readonly items: Content[] = [];
  done = false;
  #cursor: string | undefined;
  #loading: Promise<void> | undefined;

  constructor(readonly session: Session, readonly query: Omit<ContentQuery, "cursor">) {}

  /** Loads the next page. Called again while it loads, it waits for the same page. */
  more(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #load(): Promise<void> {
    if (this.done) return;
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...this.query, cursor: this.#cursor })) {
      // A filter with several values is repeated: status=new&status=processed.
      for (const one of [value].flat()) if (one !== undefined) search.append(name, String(one));
    }
    const answer = await this.session.fetch(`/api/v1/content?${search}`);
    const page: ContentPage = await answer.json();
    this.items.push(...page.data);
    this.#cursor = page.pagination.next_cursor ?? undefined;
    this.done = !page.pagination.has_more;
  }
}

/** Loads the next page whenever the element at the end of the list comes into view. */
export function loadOnScroll(feed: ContentFeed, end: Element, show: (items: Content[]) => void): IntersectionObserver {
  const observer = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    const shown = feed.items.length;
    await feed.more();
    show(feed.items.slice(shown));
    if (feed.done) observer.disconnect();
  });
  observer.observe(end);
  return observer;
}

// endregion scroll
