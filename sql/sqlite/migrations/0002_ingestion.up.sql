-- What people set and what fetching remembers of a source, as JSON; secrets are sealed.
ALTER TABLE sources ADD COLUMN health TEXT NOT NULL DEFAULT 'pending'
  CHECK (health IN ('pending', 'ok', 'quiet', 'failing', 'throttled', 'moved', 'gone'));
ALTER TABLE sources ADD COLUMN health_since BIGINT;
ALTER TABLE sources ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE sources ADD COLUMN secrets TEXT NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN state TEXT NOT NULL DEFAULT '{}';
UPDATE sources SET health = CASE
  WHEN status = 'gone' THEN 'gone' WHEN consecutive_failures > 0 THEN 'failing' WHEN last_success_at IS NOT NULL THEN 'ok' ELSE 'pending' END,
  health_since = last_fetched_at;
CREATE INDEX sources_health ON sources (health, created_at, id);

-- Former URLs of a source, which redirected for good: a source is known by them too.
CREATE TABLE source_aliases (
  url_key TEXT NOT NULL PRIMARY KEY,
  source_id TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX source_aliases_source ON source_aliases (source_id, created_at);

ALTER TABLE source_fetches ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

-- Token buckets of registrable domains, for all replicas: the theoretical arrival time of the generic cell rate algorithm,
-- the end of the queue of hosts that were put off, and whether the last who asked was granted a token.
CREATE TABLE domains (
  domain TEXT NOT NULL PRIMARY KEY,
  arrival_at BIGINT NOT NULL,
  queued_until BIGINT NOT NULL,
  granted BOOLEAN NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX domains_updated ON domains (updated_at);

-- Imports of OPML lists, which go on in the background.
CREATE TABLE source_imports (
  id TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'canceled')),
  file_name TEXT NOT NULL,
  tags TEXT NOT NULL,
  dry_run BOOLEAN NOT NULL,
  total BIGINT NOT NULL,
  processed BIGINT NOT NULL,
  added BIGINT NOT NULL,
  existing BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_token BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX source_imports_created ON source_imports (created_at, id);
CREATE INDEX source_imports_open ON source_imports (created_at, id) WHERE state IN ('pending', 'running');

CREATE TABLE source_import_lines (
  import_id TEXT NOT NULL REFERENCES source_imports (id) ON DELETE CASCADE,
  position BIGINT NOT NULL,
  line BIGINT NOT NULL,
  url TEXT NOT NULL,
  title TEXT NOT NULL,
  site_url TEXT NOT NULL,
  tags TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('pending', 'added', 'existing', 'failed')),
  source_id TEXT,
  error_code TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (import_id, position)
);
CREATE INDEX source_import_lines_outcome ON source_import_lines (import_id, outcome, position);

-- A new table, because SQLite reads all of a row's bodies to get at a column behind them.
CREATE TABLE contents_next (
  id TEXT NOT NULL PRIMARY KEY,
  source_id TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  guid TEXT NOT NULL,
  identity_kind TEXT NOT NULL CHECK (identity_kind IN ('guid', 'url', 'hash')),
  identity_key TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('new', 'processing', 'processed', 'failed', 'skipped')),
  revision BIGINT NOT NULL CHECK (revision >= 1),
  duplicate_of TEXT REFERENCES contents (id) ON DELETE SET NULL,
  version BIGINT NOT NULL,
  fetched_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  published_at BIGINT NOT NULL,
  published_inferred BOOLEAN NOT NULL,
  language TEXT NOT NULL,
  word_count BIGINT NOT NULL,
  content_hash TEXT NOT NULL,
  text_hash TEXT NOT NULL,
  alt_key TEXT NOT NULL DEFAULT '',
  raw_hash TEXT NOT NULL DEFAULT '',
  changed_at BIGINT NOT NULL DEFAULT 0,
  duplicate_count BIGINT NOT NULL DEFAULT 0,
  details TEXT NOT NULL DEFAULT '{}',
  url TEXT NOT NULL,
  canonical_url TEXT NOT NULL,
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  authors TEXT NOT NULL,
  categories TEXT NOT NULL,
  enclosures TEXT NOT NULL,
  content_html TEXT NOT NULL,
  content_text TEXT NOT NULL,
  UNIQUE (source_id, identity_kind, identity_key)
);
INSERT INTO contents_next (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at, published_at,
  published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories,
  enclosures, content_html, content_text, changed_at, duplicate_count)
SELECT c.id, c.source_id, c.guid, c.identity_kind, c.identity_key, c.status, c.revision, c.duplicate_of, c.version, c.fetched_at,
  c.updated_at, c.published_at, c.published_inferred, c.language, c.word_count, c.content_hash, c.text_hash, c.url, c.canonical_url,
  c.title, c.summary, c.authors, c.categories, c.enclosures, c.content_html, c.content_text,
  COALESCE((SELECT MAX(r.recorded_at) FROM content_revisions r WHERE r.content_id = c.id), c.fetched_at),
  (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = c.id)
FROM contents c;
DROP TABLE contents;
ALTER TABLE contents_next RENAME TO contents;
CREATE INDEX contents_published ON contents (published_at, id);
CREATE INDEX contents_first_seen ON contents (published_at, id) WHERE duplicate_of IS NULL;
CREATE INDEX contents_source ON contents (source_id, published_at, id);
CREATE INDEX contents_status ON contents (status, published_at, id);
CREATE INDEX contents_language ON contents (language, published_at, id);
CREATE INDEX contents_fetched ON contents (fetched_at);
CREATE INDEX contents_duplicate_of ON contents (duplicate_of, published_at, id) WHERE duplicate_of IS NOT NULL;
CREATE INDEX contents_duplicates ON contents (published_at, id) WHERE duplicate_of IS NOT NULL;
-- With the order of the first-seen item: a planner that does not know the table yet would walk contents_fetched for it.
CREATE INDEX contents_canonical_url ON contents (canonical_url, fetched_at, id) WHERE canonical_url <> '';
CREATE INDEX contents_text_hash ON contents (text_hash, fetched_at, id) WHERE text_hash <> '';
CREATE INDEX contents_alt ON contents (source_id, alt_key) WHERE alt_key <> '';
CREATE INDEX contents_changed ON contents (changed_at, id);

-- What the next state of an item changed, as a list of fields.
ALTER TABLE content_revisions ADD COLUMN changed TEXT NOT NULL DEFAULT '[]';

-- Tombstones: what a person deleted or what expired, by all of its identities.
ALTER TABLE content_deletions ADD COLUMN reason TEXT NOT NULL DEFAULT 'deleted' CHECK (reason IN ('deleted', 'expired'));
ALTER TABLE content_deletions ADD COLUMN alt_key TEXT NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN canonical_url TEXT NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN text_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN guid TEXT NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN title_key TEXT NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN published_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE content_deletions ADD COLUMN published_inferred BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE content_deletions ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE content_deletions ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX content_deletions_alt ON content_deletions (source_id, alt_key) WHERE alt_key <> '';
CREATE INDEX content_deletions_url ON content_deletions (source_id, canonical_url) WHERE canonical_url <> '';
CREATE INDEX content_deletions_text ON content_deletions (source_id, text_hash) WHERE text_hash <> '';

-- The keys by which an index finds items with nearly the same text; all are null when the text is too short.
-- seen_at is fetched_at of the item.
CREATE TABLE content_signatures (
  content_id TEXT NOT NULL PRIMARY KEY REFERENCES contents (id) ON DELETE CASCADE,
  key_version BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  key0 BIGINT,
  key1 BIGINT,
  key2 BIGINT,
  key3 BIGINT,
  key4 BIGINT,
  key5 BIGINT
);
CREATE INDEX content_signatures_key0 ON content_signatures (key0, seen_at) WHERE key0 IS NOT NULL;
CREATE INDEX content_signatures_key1 ON content_signatures (key1, seen_at) WHERE key1 IS NOT NULL;
CREATE INDEX content_signatures_key2 ON content_signatures (key2, seen_at) WHERE key2 IS NOT NULL;
CREATE INDEX content_signatures_key3 ON content_signatures (key3, seen_at) WHERE key3 IS NOT NULL;
CREATE INDEX content_signatures_key4 ON content_signatures (key4, seen_at) WHERE key4 IS NOT NULL;
CREATE INDEX content_signatures_key5 ON content_signatures (key5, seen_at) WHERE key5 IS NOT NULL;

-- Who linked two items by hand; empty: ingestion did.
ALTER TABLE duplicate_links ADD COLUMN created_by TEXT NOT NULL DEFAULT '';

-- Items that a person said are not the same; content_id is the smaller of the two.
CREATE TABLE duplicate_exclusions (
  content_id TEXT NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  other_id TEXT NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (content_id, other_id),
  CHECK (content_id < other_id)
);
CREATE INDEX duplicate_exclusions_other ON duplicate_exclusions (other_id);

INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
