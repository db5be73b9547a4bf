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

DROP INDEX IF EXISTS contents_changed;
DROP INDEX IF EXISTS contents_alt;
ALTER TABLE contents DROP COLUMN details;
ALTER TABLE contents DROP COLUMN duplicate_count;
ALTER TABLE contents DROP COLUMN changed_at;
ALTER TABLE contents DROP COLUMN raw_hash;
ALTER TABLE contents DROP COLUMN alt_key;

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
