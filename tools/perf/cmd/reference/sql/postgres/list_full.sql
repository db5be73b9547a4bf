SELECT id, source_id, guid, url, canonical_url, title, summary, authors, categories, enclosures, language,
  published_at, published_inferred, fetched_at, updated_at, status, revision, duplicate_of, word_count, content_html, content_text
FROM contents WHERE duplicate_of IS NULL AND published_at < $1
ORDER BY published_at DESC, id DESC LIMIT 21
