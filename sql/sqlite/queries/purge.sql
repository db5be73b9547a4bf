-- The items of a source in pages: what was derived from them is removed a page at a time. Postgres locks them, so that
-- no result is stored for one meanwhile.
-- name: DerivedPage :many
SELECT c.id FROM contents c WHERE c.source_id = @source_id AND c.id > @after_id ORDER BY c.id LIMIT @row_limit;

-- name: PurgeMentions :many
DELETE FROM mentions WHERE content_id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT))) AND extractor <> @manual
RETURNING content_id, entity_id;

-- name: PurgeEvidence :many
DELETE FROM relationship_evidence WHERE content_id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT))) AND extractor <> @manual
RETURNING content_id, relationship_id, origin_id;

-- What was answered on demand about the items.
-- name: PurgeRequests :exec
DELETE FROM extraction_requests WHERE content_id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT)));

-- name: PurgeRuns :many
DELETE FROM extraction_runs WHERE content_id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT)))
RETURNING content_id;

-- name: OrphanedRelationships :many
SELECT r.id FROM relationships r WHERE r.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) AND r.merged_into IS NULL;

-- Those that were made the same as one of the given, and have no evidence of their own.
-- name: RelationshipsMergedInto :many
SELECT r.id, r.merged_into FROM relationships r WHERE r.merged_into IS NOT NULL AND r.merged_into IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: RelationshipEnds :many
SELECT r.id, r.from_entity_id, r.to_entity_id FROM relationships r WHERE r.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: MergeTargets :many
SELECT e.id, e.merged_into FROM entities e WHERE e.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: EntitiesMergedInto :many
SELECT e.id, e.merged_into FROM entities e WHERE e.merged_into IS NOT NULL AND e.merged_into IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- Entities that something speaks for: a mention, a relationship, or a person.
-- name: SupportedEntities :many
SELECT e.id FROM entities e
WHERE e.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) AND (
  e.extractor = @manual OR e.status = 'rejected' OR e.description <> '' OR e.attributes <> '{}'
  OR EXISTS (SELECT 1 FROM mentions m WHERE m.entity_id = e.id)
  OR EXISTS (SELECT 1 FROM relationships r WHERE r.from_entity_id = e.id)
  OR EXISTS (SELECT 1 FROM relationships r WHERE r.to_entity_id = e.id)
  OR EXISTS (SELECT 1 FROM entity_aliases a WHERE a.entity_id = e.id AND a.source = @manual));

-- name: DeleteEntities :exec
DELETE FROM entities WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: ReopenPurged :exec
UPDATE contents SET status = 'new', version = version + 1, updated_at = @updated_at
WHERE id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT))) AND status IN ('processed', 'failed', 'skipped');

-- name: WithholdPurged :exec
UPDATE enrichment_tasks SET state = 'withheld', attempts = 0, last_error = '', updated_at = @updated_at
WHERE content_id IN (SELECT value FROM json_each(CAST(@content_ids AS TEXT))) AND state IN ('done', 'dead');
