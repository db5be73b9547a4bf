-- name: CreateRun :exec
INSERT INTO extraction_runs (id, content_id, revision, extractor, name, model, config_hash, actor, status, task_id, lease_token, entities,
  mentions, relationships, started_at, finished_at, ended_at)
VALUES (@id, @content_id, @revision, @extractor, @name, @model, @config_hash, @actor, @status, @task_id, @lease_token, @entities,
  @mentions, @relationships, @started_at, @finished_at, @ended_at);

-- name: Run :one
SELECT id, content_id, revision, extractor, name, model, config_hash, actor, status, task_id, lease_token, entities, mentions, relationships,
  started_at, finished_at, ended_at
FROM extraction_runs WHERE id = @id;

-- name: RunOfTask :one
SELECT id, content_id, revision, extractor, name, model, config_hash, actor, status, task_id, lease_token, entities, mentions, relationships,
  started_at, finished_at, ended_at
FROM extraction_runs WHERE task_id = @task_id AND lease_token = @lease_token AND task_id <> '';

-- name: CurrentRuns :many
SELECT id, content_id, revision, extractor, name, model, config_hash, actor, status, task_id, lease_token, entities, mentions, relationships,
  started_at, finished_at, ended_at
FROM extraction_runs WHERE content_id = @content_id AND status = 'current' ORDER BY name;

-- name: SupersedeRun :many
UPDATE extraction_runs SET status = 'superseded', ended_at = @ended_at
WHERE content_id = @content_id AND name = @name AND status = 'current'
RETURNING id;

-- name: RetractRun :execrows
UPDATE extraction_runs SET status = 'retracted', ended_at = @ended_at WHERE id = @id AND status = 'current';
