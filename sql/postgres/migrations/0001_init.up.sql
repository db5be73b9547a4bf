-- Conventions: ids are UUIDv7 text, times are Unix microseconds in UTC, JSON is text.
-- Columns that hold bodies stand last, so that lists without them do not read them.

CREATE TABLE settings (
  key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE users (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  email TEXT NOT NULL,
  email_key TEXT COLLATE "C" NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT COLLATE "C" NOT NULL CHECK (role IN ('user', 'moderator', 'admin')),
  status TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'disabled')),
  password_hash TEXT NOT NULL,
  version BIGINT NOT NULL,
  last_login_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX users_created ON users (created_at, id);
CREATE INDEX users_role ON users (role, created_at, id);
CREATE INDEX users_status ON users (status, created_at, id);

CREATE TABLE sessions (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  scope TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT,
  revoke_reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user ON sessions (user_id, created_at);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  token_hash TEXT COLLATE "C" NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  successor_sealed TEXT NOT NULL DEFAULT ''
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE login_throttles (
  throttle_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  failures BIGINT NOT NULL,
  window_start BIGINT NOT NULL,
  blocked_until BIGINT,
  updated_at BIGINT NOT NULL
);
CREATE INDEX login_throttles_updated ON login_throttles (updated_at);

CREATE TABLE signing_keys (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  algorithm TEXT NOT NULL,
  public_key TEXT NOT NULL,
  private_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  active_at BIGINT NOT NULL,
  retired_at BIGINT,
  expires_at BIGINT
);

CREATE TABLE idempotency_keys (
  principal TEXT COLLATE "C" NOT NULL,
  idempotency_key TEXT COLLATE "C" NOT NULL,
  operation TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  completed BOOLEAN NOT NULL,
  status BIGINT NOT NULL,
  header TEXT NOT NULL,
  body BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (principal, idempotency_key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE audit_events (
  seq BIGINT NOT NULL PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  at BIGINT NOT NULL,
  actor_type TEXT NOT NULL,
  actor_id TEXT COLLATE "C" NOT NULL,
  action TEXT COLLATE "C" NOT NULL,
  subject_type TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('success', 'failure', 'refused')),
  request_id TEXT COLLATE "C" NOT NULL,
  address TEXT NOT NULL,
  details TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
);
CREATE INDEX audit_events_at ON audit_events (at, seq);
CREATE INDEX audit_events_actor ON audit_events (actor_id, seq);
CREATE INDEX audit_events_action ON audit_events (action, seq);
CREATE INDEX audit_events_subject ON audit_events (subject_type, subject_id, seq);
CREATE INDEX audit_events_outcome ON audit_events (outcome, seq);

CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_events is append-only';
END;
$$;
CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only();

-- The end of the chain: one row, locked by whoever appends.
CREATE TABLE audit_head (
  id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

CREATE TABLE hosts (
  host TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  due_at BIGINT,
  not_before BIGINT NOT NULL DEFAULT 0,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_token BIGINT NOT NULL DEFAULT 0,
  lease_until BIGINT NOT NULL DEFAULT 0,
  updated_at BIGINT NOT NULL
);
CREATE INDEX hosts_due ON hosts (due_at, host);
CREATE INDEX hosts_leased ON hosts (lease_until) WHERE lease_until > 0;

CREATE TABLE sources (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  url TEXT NOT NULL,
  url_key TEXT COLLATE "C" NOT NULL UNIQUE,
  host TEXT COLLATE "C" NOT NULL REFERENCES hosts (host),
  title TEXT NOT NULL,
  title_key TEXT COLLATE "C" NOT NULL,
  title_is_manual BOOLEAN NOT NULL,
  description TEXT NOT NULL,
  site_url TEXT NOT NULL,
  format TEXT NOT NULL,
  language TEXT COLLATE "C" NOT NULL,
  tags TEXT NOT NULL,
  status TEXT COLLATE "C" NOT NULL CHECK (status IN ('active', 'paused', 'failing', 'gone')),
  fetch_interval_seconds BIGINT NOT NULL CHECK (fetch_interval_seconds >= 0),
  etag TEXT NOT NULL,
  last_modified TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  next_fetch_at BIGINT,
  last_fetched_at BIGINT,
  last_success_at BIGINT,
  consecutive_failures BIGINT NOT NULL,
  last_error_code TEXT NOT NULL,
  last_error TEXT NOT NULL,
  last_error_at BIGINT,
  created_by TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX sources_created ON sources (created_at, id);
CREATE INDEX sources_title ON sources (title_key, id);
CREATE INDEX sources_status ON sources (status, created_at, id);
CREATE INDEX sources_host_due ON sources (host, next_fetch_at);

CREATE TABLE source_fetches (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  source_id TEXT COLLATE "C" NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  started_at BIGINT NOT NULL,
  duration_us BIGINT NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('new_content', 'unchanged', 'not_modified', 'failed')),
  http_status BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  items_seen BIGINT NOT NULL,
  items_created BIGINT NOT NULL,
  items_updated BIGINT NOT NULL,
  items_failed BIGINT NOT NULL,
  error_code TEXT NOT NULL,
  error TEXT NOT NULL,
  warnings TEXT NOT NULL
);
CREATE INDEX source_fetches_source ON source_fetches (source_id, started_at, id);

CREATE TABLE contents (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  source_id TEXT COLLATE "C" NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  guid TEXT COLLATE "C" NOT NULL,
  identity_kind TEXT COLLATE "C" NOT NULL CHECK (identity_kind IN ('guid', 'url', 'hash')),
  identity_key TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CHECK (status IN ('new', 'processing', 'processed', 'failed', 'skipped')),
  revision BIGINT NOT NULL CHECK (revision >= 1),
  duplicate_of TEXT COLLATE "C" REFERENCES contents (id) ON DELETE SET NULL,
  version BIGINT NOT NULL,
  fetched_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  published_at BIGINT NOT NULL,
  published_inferred BOOLEAN NOT NULL,
  language TEXT COLLATE "C" NOT NULL,
  word_count BIGINT NOT NULL,
  content_hash TEXT NOT NULL,
  text_hash TEXT COLLATE "C" NOT NULL,
  url TEXT NOT NULL,
  canonical_url TEXT COLLATE "C" NOT NULL,
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  authors TEXT NOT NULL,
  categories TEXT NOT NULL,
  enclosures TEXT NOT NULL,
  content_html TEXT NOT NULL,
  content_text TEXT NOT NULL,
  UNIQUE (source_id, identity_kind, identity_key)
);
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

-- Items that a person deleted, as they were: they stay away while their feed
-- lists them so.
CREATE TABLE content_deletions (
  source_id TEXT COLLATE "C" NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  identity_kind TEXT COLLATE "C" NOT NULL,
  identity_key TEXT COLLATE "C" NOT NULL,
  content_hash TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (source_id, identity_kind, identity_key)
);

CREATE TABLE content_revisions (
  content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL,
  recorded_at BIGINT NOT NULL,
  published_at BIGINT NOT NULL,
  published_inferred BOOLEAN NOT NULL,
  language TEXT COLLATE "C" NOT NULL,
  word_count BIGINT NOT NULL,
  content_hash TEXT NOT NULL,
  text_hash TEXT COLLATE "C" NOT NULL,
  url TEXT NOT NULL,
  canonical_url TEXT COLLATE "C" NOT NULL,
  title TEXT NOT NULL,
  summary TEXT NOT NULL,
  authors TEXT NOT NULL,
  categories TEXT NOT NULL,
  enclosures TEXT NOT NULL,
  content_html TEXT NOT NULL,
  content_text TEXT NOT NULL,
  PRIMARY KEY (content_id, revision)
);

CREATE TABLE duplicate_links (
  content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  duplicate_of TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  reason TEXT COLLATE "C" NOT NULL,
  score DOUBLE PRECISION NOT NULL CHECK (score > 0 AND score <= 1),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (content_id, duplicate_of, reason)
);
CREATE INDEX duplicate_links_group ON duplicate_links (duplicate_of, created_at, content_id);

CREATE TABLE enrichment_tasks (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL,
  extractor TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'leased', 'done', 'dead')),
  attempts BIGINT NOT NULL,
  available_at BIGINT NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_token BIGINT NOT NULL,
  lease_until BIGINT,
  last_error TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (content_id, revision, extractor)
);
CREATE INDEX enrichment_tasks_open ON enrichment_tasks (extractor, available_at, id) WHERE state IN ('pending', 'leased');

CREATE TABLE entities (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  name_key TEXT COLLATE "C" NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  description TEXT NOT NULL,
  attributes TEXT NOT NULL,
  confidence DOUBLE PRECISION NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
  extractor TEXT COLLATE "C" NOT NULL,
  mention_count BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (type, name_key)
);
CREATE INDEX entities_name ON entities (name_key, id);
CREATE INDEX entities_confidence ON entities (confidence, id);
CREATE INDEX entities_created ON entities (created_at, id);
CREATE INDEX entities_type_name ON entities (type, name_key, id);
CREATE INDEX entities_type_confidence ON entities (type, confidence, id);
CREATE INDEX entities_type_created ON entities (type, created_at, id);

CREATE TABLE entity_aliases (
  entity_id TEXT COLLATE "C" NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  alias_key TEXT COLLATE "C" NOT NULL,
  alias TEXT NOT NULL,
  type TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (entity_id, alias_key)
);
CREATE INDEX entity_aliases_key ON entity_aliases (alias_key, entity_id);

CREATE TABLE mentions (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL,
  entity_id TEXT COLLATE "C" NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  start_offset BIGINT NOT NULL CHECK (start_offset >= 0),
  end_offset BIGINT NOT NULL CHECK (end_offset > start_offset),
  quote TEXT NOT NULL,
  confidence DOUBLE PRECISION NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
  extractor TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (content_id, entity_id, extractor, start_offset, end_offset)
);
CREATE INDEX mentions_entity ON mentions (entity_id, created_at, id);

CREATE TABLE relationships (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  from_entity_id TEXT COLLATE "C" NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  to_entity_id TEXT COLLATE "C" NOT NULL REFERENCES entities (id) ON DELETE CASCADE,
  type TEXT COLLATE "C" NOT NULL,
  confidence DOUBLE PRECISION NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
  extractor TEXT COLLATE "C" NOT NULL,
  evidence_count BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (from_entity_id, to_entity_id, type),
  CHECK (from_entity_id <> to_entity_id)
);
CREATE INDEX relationships_created ON relationships (created_at, id);
CREATE INDEX relationships_type ON relationships (type, created_at, id);
CREATE INDEX relationships_from ON relationships (from_entity_id, created_at, id);
CREATE INDEX relationships_to ON relationships (to_entity_id, created_at, id);

CREATE TABLE relationship_evidence (
  id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  relationship_id TEXT COLLATE "C" NOT NULL REFERENCES relationships (id) ON DELETE CASCADE,
  content_id TEXT COLLATE "C" NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  revision BIGINT NOT NULL,
  start_offset BIGINT NOT NULL CHECK (start_offset >= 0),
  end_offset BIGINT NOT NULL CHECK (end_offset > start_offset),
  quote TEXT NOT NULL,
  confidence DOUBLE PRECISION NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
  extractor TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (relationship_id, content_id, extractor, start_offset, end_offset)
);
CREATE INDEX relationship_evidence_newest ON relationship_evidence (relationship_id, created_at, id);
CREATE INDEX relationship_evidence_content ON relationship_evidence (content_id, extractor);

-- Events are ordered by (tx_id, seq): see docs/decisions. tx_offset is added to
-- the transaction ids of this database, so that the order goes on after a move
-- from another one.
CREATE TABLE event_clock (
  id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  tx_offset BIGINT NOT NULL
);
INSERT INTO event_clock (id, tx_offset) VALUES (1, 0);

CREATE TABLE events (
  seq BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  tx_id BIGINT NOT NULL,
  id TEXT COLLATE "C" NOT NULL UNIQUE,
  type TEXT COLLATE "C" NOT NULL,
  subject_type TEXT COLLATE "C" NOT NULL,
  subject_id TEXT COLLATE "C" NOT NULL,
  data TEXT NOT NULL,
  occurred_at BIGINT NOT NULL
);
CREATE INDEX events_order ON events (tx_id, seq);
CREATE INDEX events_subject ON events (subject_type, subject_id, seq);
