-- name: RelationshipsByKeys :many
SELECT r.id, r.from_entity_id, r.to_entity_id, r.type
FROM json_each(CAST(@keys AS TEXT)) AS k
JOIN relationships r ON r.from_entity_id = json_extract(k.value, '$.from') AND r.to_entity_id = json_extract(k.value, '$.to') AND r.type = json_extract(k.value, '$.type');

-- Postgres locks the rows here, in the order of their ids.
-- name: LockRelationships :many
SELECT id, confidence FROM relationships WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) ORDER BY id;

-- In the order of the unique key, so that concurrent transactions wait for each other in one direction.
-- name: InsertRelationships :many
INSERT INTO relationships (id, from_entity_id, to_entity_id, type, confidence, extractor, evidence_count, version, created_at, updated_at,
  status, weight, fact, valid_from, valid_to)
SELECT json_extract(value, '$.id'), json_extract(value, '$.from'), json_extract(value, '$.to'), json_extract(value, '$.type'),
  json_extract(value, '$.confidence'), json_extract(value, '$.extractor'), 0, json_extract(value, '$.version'), json_extract(value, '$.created_at'), json_extract(value, '$.updated_at'),
  json_extract(value, '$.status'), json_extract(value, '$.confidence'), json_extract(value, '$.fact'), json_extract(value, '$.valid_from'), json_extract(value, '$.valid_to')
FROM json_each(CAST(@rows_json AS TEXT)) WHERE TRUE
ORDER BY json_extract(value, '$.from'), json_extract(value, '$.to'), json_extract(value, '$.type')
ON CONFLICT (from_entity_id, to_entity_id, type) DO NOTHING
RETURNING id;

-- name: RaiseRelationshipConfidence :exec
UPDATE relationships SET confidence = @confidence, own_confidence = NULL,
  weight = CASE WHEN evidence_count > 1 THEN evidence_count ELSE 1 END * CAST(@confidence AS DOUBLE PRECISION), version = version + 1, updated_at = @updated_at
WHERE id = @id AND confidence < @confidence;

-- name: DescribeRelationship :exec
UPDATE relationships SET fact = @fact, valid_from = @valid_from, valid_to = @valid_to,
  version = @version, updated_at = @updated_at
WHERE id = @id;

-- name: UpdateRelationship :execrows
UPDATE relationships SET fact = @fact, confidence = @confidence,
  own_confidence = CASE WHEN CAST(@confidence AS DOUBLE PRECISION) <> confidence THEN NULL ELSE own_confidence END,
  weight = CASE WHEN evidence_count > 1 THEN evidence_count ELSE 1 END * CAST(@confidence AS DOUBLE PRECISION), valid_from = @valid_from, valid_to = @valid_to,
  status = @status, rejected = @rejected, version = version + 1, updated_at = @updated_at
WHERE id = @id AND version = @version;

-- name: DeleteRelationships :many
DELETE FROM relationships WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
RETURNING id, from_entity_id, to_entity_id, status;

-- name: RelationshipsByIDs :many
SELECT r.id, r.from_entity_id, r.to_entity_id, r.type, r.confidence, r.extractor, r.evidence_count, r.version, r.created_at, r.updated_at,
  r.status, r.merged_into, r.weight, r.fact, r.valid_from, r.valid_to, f.name AS from_name, f.type AS from_type, t.name AS to_name, t.type AS to_type
FROM relationships r JOIN entities f ON f.id = r.from_entity_id JOIN entities t ON t.id = r.to_entity_id
WHERE r.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- name: Relationship :one
SELECT r.id, r.from_entity_id, r.to_entity_id, r.type, r.confidence, r.extractor, r.evidence_count, r.version, r.created_at, r.updated_at,
  r.status, r.merged_into, r.weight, r.fact, r.valid_from, r.valid_to, f.name AS from_name, f.type AS from_type, t.name AS to_name, t.type AS to_type
FROM relationships r JOIN entities f ON f.id = r.from_entity_id JOIN entities t ON t.id = r.to_entity_id
WHERE r.id = @id;

-- name: DeleteEvidence :many
DELETE FROM relationship_evidence WHERE content_id = @content_id AND extractor = @extractor
RETURNING relationship_id, origin_id;

-- name: InsertEvidence :many
INSERT INTO relationship_evidence (id, relationship_id, content_id, revision, start_offset, end_offset, quote, confidence, extractor, created_at, run_id)
SELECT json_extract(value, '$.id'), json_extract(value, '$.relationship_id'), json_extract(value, '$.content_id'), json_extract(value, '$.revision'),
  json_extract(value, '$.start_offset'), json_extract(value, '$.end_offset'), json_extract(value, '$.quote'), json_extract(value, '$.confidence'),
  json_extract(value, '$.extractor'), json_extract(value, '$.created_at'), json_extract(value, '$.run_id')
FROM json_each(CAST(@rows_json AS TEXT)) WHERE TRUE
ON CONFLICT (relationship_id, content_id, extractor, start_offset, end_offset) DO NOTHING
RETURNING relationship_id;

-- Pieces that are stored already, by the ids of the new ones at the same places.
-- name: EvidenceAtPlaces :many
SELECT CAST(json_extract(n.value, '$.id') AS TEXT) AS new_id, v.id
FROM json_each(CAST(@rows_json AS TEXT)) AS n
JOIN relationship_evidence v ON v.relationship_id = json_extract(n.value, '$.relationship_id') AND v.content_id = json_extract(n.value, '$.content_id')
  AND v.extractor = json_extract(n.value, '$.extractor') AND v.start_offset = json_extract(n.value, '$.start_offset') AND v.end_offset = json_extract(n.value, '$.end_offset');

-- name: TakeOverEvidence :exec
UPDATE relationship_evidence SET revision = @revision, quote = @quote, confidence = @confidence, run_id = @run_id
WHERE id = @id;

-- What a run found, and what extractors between two names found when there were no runs.
-- name: DeleteRunEvidence :many
DELETE FROM relationship_evidence
WHERE content_id = @content_id
  AND (run_id = @run_id OR (run_id IS NULL AND (extractor = @name OR (extractor >= @version_from AND extractor < @version_until))))
RETURNING relationship_id, origin_id;

-- Removes the evidence from an item whoever found it.
-- name: DeleteContentEvidence :many
DELETE FROM relationship_evidence WHERE content_id = @content_id
RETURNING relationship_id, origin_id;

-- name: DeleteSourceEvidence :many
DELETE FROM relationship_evidence WHERE content_id IN (SELECT c.id FROM contents c WHERE c.source_id = @source_id)
RETURNING relationship_id, origin_id;

-- Adds to the counter instead of counting anew: right under concurrency.
-- name: AddEvidenceCount :exec
UPDATE relationships SET evidence_count = evidence_count + @delta,
  weight = confidence * CASE WHEN evidence_count + @delta > 1 THEN evidence_count + @delta ELSE 1 END
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- A relationship that others were merged into also stands for these.
-- name: DeleteUnsupportedRelationships :many
DELETE FROM relationships
WHERE relationships.extractor <> @manual AND relationships.evidence_count = 0 AND relationships.status <> 'merged' AND relationships.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
  AND NOT EXISTS (SELECT 1 FROM relationships m WHERE m.merged_into = relationships.id AND NOT m.rejected
    AND (m.extractor = @manual OR m.evidence_count > 0))
RETURNING id, from_entity_id, to_entity_id, status;

-- Merged ones of which all evidence is gone, also what the others hold for them.
-- name: DeleteHollowRelationships :many
DELETE FROM relationships
WHERE relationships.status = 'merged' AND relationships.extractor <> @manual AND relationships.evidence_count = 0 AND relationships.id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)))
  AND NOT EXISTS (SELECT 1 FROM relationship_evidence v WHERE v.origin_id IS NOT NULL AND v.origin_id = relationships.id)
RETURNING id;

-- name: RelationshipEvidence :many
SELECT id, relationship_id, content_id, revision, start_offset, end_offset, quote, confidence, extractor, created_at, run_id
FROM relationship_evidence WHERE relationship_id = @relationship_id
  AND (created_at < @after_at OR (created_at = @after_at AND id < @after_id))
ORDER BY created_at DESC, id DESC LIMIT @row_limit;
