-- name: CreateContents :many
INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at,
  published_at, published_inferred, language, word_count, content_hash, text_hash, alt_key, raw_hash, changed_at, duplicate_count, details, url, canonical_url, title, summary,
  authors, categories, enclosures, content_html, content_text)
SELECT n.id, n.source_id, n.guid, n.identity_kind, n.identity_key, n.status, n.revision, n.duplicate_of, n.version, n.fetched_at, n.updated_at,
  n.published_at, n.published_inferred, n.language, n.word_count, n.content_hash, n.text_hash, n.alt_key, n.raw_hash,
  n.changed_at, n.duplicate_count, n.details, n.url, n.canonical_url, n.title, n.summary,
  n.authors, n.categories, n.enclosures, n.content_html, n.content_text
FROM jsonb_to_recordset(CAST(CAST(@rows_json AS TEXT) AS JSONB)) AS n (id TEXT, source_id TEXT, guid TEXT, identity_kind TEXT, identity_key TEXT,
  status TEXT, revision BIGINT, duplicate_of TEXT, version BIGINT, fetched_at BIGINT, updated_at BIGINT, published_at BIGINT,
  published_inferred BOOLEAN, language TEXT, word_count BIGINT, content_hash TEXT, text_hash TEXT, alt_key TEXT, raw_hash TEXT,
  changed_at BIGINT, duplicate_count BIGINT, details TEXT, url TEXT, canonical_url TEXT, title TEXT,
  summary TEXT, authors TEXT, categories TEXT, enclosures TEXT, content_html TEXT, content_text TEXT)
ON CONFLICT (source_id, identity_kind, identity_key) DO NOTHING
RETURNING id;

-- One row at a time: for SQLite, to which a statement is a call and not a journey.
-- name: CreateContent :execrows
INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at,
  published_at, published_inferred, language, word_count, content_hash, text_hash, alt_key, raw_hash, changed_at, duplicate_count, details, url, canonical_url, title, summary,
  authors, categories, enclosures, content_html, content_text)
VALUES (@id, @source_id, @guid, @identity_kind, @identity_key, @status, @revision, @duplicate_of, @version, @fetched_at, @updated_at,
  @published_at, @published_inferred, @language, @word_count, @content_hash, @text_hash,
  @alt_key, @raw_hash, @changed_at, @duplicate_count, @details, @url, @canonical_url, @title, @summary, @authors,
  @categories, @enclosures, @content_html, @content_text)
ON CONFLICT (source_id, identity_kind, identity_key) DO NOTHING;

-- The columns in an order that is that of neither table, so that both dialects give them the same type.
-- name: Content :one
SELECT id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at, changed_at, published_at,
  published_inferred, language, word_count, content_hash, text_hash, alt_key, raw_hash, duplicate_count, details, url, canonical_url, title,
  summary, authors, categories, enclosures, content_html, content_text
FROM contents WHERE id = @id;

-- Postgres locks the row.
-- name: LockContent :one
SELECT id, revision, canonical_url, text_hash, duplicate_of FROM contents WHERE id = @id FOR NO KEY UPDATE;

-- Postgres locks the rows, in the order of their ids: whoever stores what was found in them ends first.
-- name: LockContentsOfSource :one
SELECT CAST(COUNT(*) AS BIGINT) AS locked FROM (SELECT c.id FROM contents c WHERE c.source_id = @source_id ORDER BY c.id FOR NO KEY UPDATE) AS l;

-- name: KeepRevision :exec
INSERT INTO content_revisions (content_id, revision, recorded_at, published_at, published_inferred, language, word_count, content_hash, text_hash,
  url, canonical_url, title, summary, authors, categories, enclosures, content_html, content_text, changed)
SELECT c.id, c.revision, @recorded_at, c.published_at, c.published_inferred, c.language, c.word_count, c.content_hash, c.text_hash, c.url,
  c.canonical_url, c.title, c.summary, c.authors, c.categories, c.enclosures, c.content_html, c.content_text,
  CAST(@changed AS TEXT)
FROM contents c WHERE c.id = @id;

-- name: ReviseContent :exec
UPDATE contents SET status = 'new', revision = revision + 1, version = version + 1, updated_at = @updated_at, guid = @guid,
  identity_kind = @identity_kind, identity_key = @identity_key, alt_key = @alt_key, raw_hash = @raw_hash, changed_at = @changed_at, details = @details,
  published_at = @published_at, published_inferred = @published_inferred, language = @language, word_count = @word_count,
  content_hash = @content_hash, text_hash = @text_hash, url = @url, canonical_url = @canonical_url, title = @title, summary = @summary,
  authors = @authors, categories = @categories, enclosures = @enclosures, content_html = @content_html, content_text = @content_text
WHERE id = @id;

-- name: SetContentStatus :execrows
UPDATE contents SET status = @status, version = version + 1, updated_at = @updated_at WHERE id = @id;

-- name: SetContentsProcessing :exec
UPDATE contents SET status = 'processing', version = version + 1, updated_at = @updated_at
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) AND status <> 'processing';

-- name: SetContentWaiting :exec
UPDATE contents SET status = 'new', version = version + 1, updated_at = @updated_at WHERE id = @id AND status = 'processing';

-- name: DeleteContent :execrows
DELETE FROM contents WHERE id = @id;
