SELECT id, source_id, guid, url, canonical_url, title, summary, authors, categories, enclosures, language,
  published_at, published_inferred, fetched_at, updated_at, status, revision, duplicate_of, word_count, content_html, content_text
FROM contents WHERE id = $1
