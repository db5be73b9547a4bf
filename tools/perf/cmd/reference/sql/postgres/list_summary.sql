SELECT id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at,
  updated_at, published_at, published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary,
  authors, categories, enclosures, '' AS content_html, '' AS content_text FROM contents WHERE duplicate_of IS NULL AND published_at < $1 ORDER BY published_at DESC, id DESC LIMIT $2
