SELECT id, source_id, guid, identity_kind, identity_key, status, revision, duplicate_of, version, fetched_at,
  updated_at, published_at, published_inferred, language, word_count, content_hash, text_hash, url, canonical_url, title, summary,
  authors, categories, enclosures,
  content_html, content_text
FROM contents WHERE id = ?1
