-- name: CreateContents :many
INSERT INTO contents (id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at, updated_at,
  published_at, published_inferred, language, word_count, content_hash, text_hash, alt_key, raw_hash, changed_at, duplicate_count, details, url, canonical_url, title, summary,
  authors, categories, enclosures, content_html, content_text)
SELECT json_extract(n.value, '$.id'), json_extract(n.value, '$.source_id'), json_extract(n.value, '$.guid'), json_extract(n.value,
  '$.identity_kind'), json_extract(n.value, '$.identity_key'), json_extract(n.value, '$.status'), json_extract(n.value, '$.revision'),
  json_extract(n.value, '$.duplicate_of'), json_extract(n.value, '$.version'), json_extract(n.value, '$.fetched_at'), json_extract(n.value,
  '$.updated_at'), json_extract(n.value, '$.published_at'), json_extract(n.value, '$.published_inferred'), json_extract(n.value, '$.language'),
  json_extract(n.value, '$.word_count'), json_extract(n.value, '$.content_hash'), json_extract(n.value, '$.text_hash'), json_extract(n.value, '$.alt_key'), json_extract(n.value, '$.raw_hash'),
  json_extract(n.value, '$.changed_at'), json_extract(n.value, '$.duplicate_count'), json_extract(n.value, '$.details'), json_extract(n.value, '$.url'), json_extract(n.value, '$.canonical_url'), json_extract(n.value, '$.title'), json_extract(n.value, '$.summary'), json_extract(n.value,
  '$.authors'), json_extract(n.value, '$.categories'), json_extract(n.value, '$.enclosures'), json_extract(n.value, '$.content_html'),
  json_extract(n.value, '$.content_text')
FROM json_each(CAST(@rows_json AS TEXT)) AS n WHERE TRUE
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
SELECT id, revision, canonical_url, text_hash, duplicate_of FROM contents WHERE id = @id;

-- Postgres locks the rows, in the order of their ids: whoever stores what was found in them ends first.
-- name: LockContentsOfSource :one
SELECT CAST(COUNT(*) AS INTEGER) AS locked FROM contents c WHERE c.source_id = @source_id;

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
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) AND status <> 'processing';

-- name: SetContentWaiting :exec
UPDATE contents SET status = 'new', version = version + 1, updated_at = @updated_at WHERE id = @id AND status = 'processing';

-- name: DeleteContent :execrows
DELETE FROM contents WHERE id = @id;
