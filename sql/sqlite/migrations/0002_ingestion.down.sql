DROP TABLE duplicate_exclusions;
ALTER TABLE duplicate_links DROP COLUMN created_by;
DROP TABLE content_signatures;
DROP INDEX IF EXISTS content_deletions_alt;
DROP INDEX IF EXISTS content_deletions_url;
DROP INDEX IF EXISTS content_deletions_text;
ALTER TABLE content_deletions DROP COLUMN seen_at;
ALTER TABLE content_deletions DROP COLUMN guid;
ALTER TABLE content_deletions DROP COLUMN title_key;
ALTER TABLE content_deletions DROP COLUMN published_at;
ALTER TABLE content_deletions DROP COLUMN published_inferred;
ALTER TABLE content_deletions DROP COLUMN deleted_at;
ALTER TABLE content_deletions DROP COLUMN text_hash;
ALTER TABLE content_deletions DROP COLUMN canonical_url;
ALTER TABLE content_deletions DROP COLUMN alt_key;
ALTER TABLE content_deletions DROP COLUMN reason;
ALTER TABLE content_revisions DROP COLUMN changed;

CREATE TABLE contents_before (
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
INSERT INTO contents_before (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at, published_at,
  published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories,
  enclosures, content_html, content_text)
SELECT id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at, published_at,
  published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary, authors, categories,
  enclosures, content_html, content_text
FROM contents;
DROP TABLE contents;
ALTER TABLE contents_before RENAME TO contents;
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

DROP TABLE source_import_lines;
DROP TABLE source_imports;
DROP TABLE domains;
ALTER TABLE source_fetches DROP COLUMN details;
DROP TABLE source_aliases;
DROP INDEX IF EXISTS sources_health;
ALTER TABLE sources DROP COLUMN state;
ALTER TABLE sources DROP COLUMN secrets;
ALTER TABLE sources DROP COLUMN settings;
ALTER TABLE sources DROP COLUMN health_since;
ALTER TABLE sources DROP COLUMN health;
INSERT INTO settings (key, value, updated_at) VALUES ('schema_compatible_from', '1', 0)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;
