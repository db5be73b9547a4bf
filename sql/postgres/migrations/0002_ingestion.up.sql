-- What people set and what fetching remembers of a source, as JSON; secrets are sealed.
ALTER TABLE sources ADD COLUMN health TEXT COLLATE "C" NOT NULL DEFAULT 'pending'
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
  url_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  source_id TEXT COLLATE "C" NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX source_aliases_source ON source_aliases (source_id, created_at);

ALTER TABLE source_fetches ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

-- Token buckets of registrable domains, for all replicas: the theoretical arrival time of the generic cell rate algorithm,
-- the end of the queue of hosts that were put off, and whether the last who asked was granted a token.
CREATE TABLE domains (
  domain TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  arrival_at BIGINT NOT NULL,
  queued_until BIGINT NOT NULL,
  granted BOOLEAN NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX domains_updated ON domains (updated_at);

-- Imports of OPML lists, which go on in the background.
CREATE TABLE source_imports (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'running', 'done', 'canceled')),
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
  import_id TEXT COLLATE "C" NOT NULL REFERENCES source_imports (id) ON DELETE CASCADE,
  position BIGINT NOT NULL,
  line BIGINT NOT NULL,
  url TEXT NOT NULL,
  title TEXT NOT NULL,
  site_url TEXT NOT NULL,
  tags TEXT NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('pending', 'added', 'existing', 'failed')),
  source_id TEXT COLLATE "C",
  error_code TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (import_id, position)
);
CREATE INDEX source_import_lines_outcome ON source_import_lines (import_id, outcome, position);

ALTER TABLE contents ADD COLUMN alt_key TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE contents ADD COLUMN raw_hash TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE contents ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE contents ADD COLUMN duplicate_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE contents ADD COLUMN details TEXT NOT NULL DEFAULT '{}';
UPDATE contents AS c SET changed_at = COALESCE((SELECT MAX(r.recorded_at) FROM content_revisions r WHERE r.content_id = c.id), c.fetched_at),
  duplicate_count = (SELECT COUNT(*) FROM contents d WHERE d.duplicate_of = c.id);
CREATE INDEX contents_alt ON contents (source_id, alt_key) WHERE alt_key <> '';
CREATE INDEX contents_changed ON contents (changed_at, id);

-- What the next state of an item changed, as a list of fields.
ALTER TABLE content_revisions ADD COLUMN changed TEXT NOT NULL DEFAULT '[]';

-- Tombstones: what a person deleted or what expired, by all of its identities.
ALTER TABLE content_deletions ADD COLUMN reason TEXT COLLATE "C" NOT NULL DEFAULT 'deleted' CHECK (reason IN ('deleted', 'expired'));
ALTER TABLE content_deletions ADD COLUMN alt_key TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN canonical_url TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN text_hash TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN guid TEXT NOT NULL DEFAULT '';
ALTER TABLE content_deletions ADD COLUMN title_key TEXT COLLATE "C" NOT NULL DEFAULT '';
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
  content_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES contents (id) ON DELETE CASCADE,
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
  content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  other_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (content_id, other_id),
  CHECK (content_id < other_id)
);
CREATE INDEX duplicate_exclusions_other ON duplicate_exclusions (other_id);

INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
