-- name: CreateMerge :exec
INSERT INTO entity_merges (id, winner_id, reason, actor, mentions, relationships, evidence, aliases, created_at, undone_by)
VALUES (@id, @winner_id, @reason, @actor, @mentions, @relationships, @evidence, @aliases, @created_at, '');

-- name: AddMergeLosers :exec
INSERT INTO entity_merge_losers (merge_id, entity_id)
SELECT @merge_id, e.id FROM entities e WHERE e.id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: EntityMerge :one
SELECT m.id, m.winner_id, m.reason, m.actor, m.mentions, m.relationships, m.evidence, m.aliases, m.created_at, m.undone_at, m.undone_by,
  e.name AS winner_name, e.type AS winner_type
FROM entity_merges m JOIN entities e ON e.id = m.winner_id
WHERE m.id = @id;

-- Merges that an entity took part in, on either side.
-- name: EntityMerges :many
SELECT m.id, m.winner_id, m.reason, m.actor, m.mentions, m.relationships, m.evidence, m.aliases, m.created_at, m.undone_at, m.undone_by,
  e.name AS winner_name, e.type AS winner_type
FROM entity_merges m JOIN entities e ON e.id = m.winner_id
WHERE m.id IN (
    SELECT w.id FROM entity_merges w WHERE w.winner_id = @entity_id
    UNION SELECT l.merge_id FROM entity_merge_losers l WHERE l.entity_id = @entity_id)
  AND (m.created_at < @after_at OR (m.created_at = @after_at AND m.id < @after_id))
ORDER BY m.created_at DESC, m.id DESC LIMIT @row_limit::bigint;

-- name: MergeLosers :many
SELECT l.merge_id, e.id, e.name, e.type
FROM entity_merge_losers l JOIN entities e ON e.id = l.entity_id
WHERE l.merge_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
ORDER BY l.merge_id, e.id;

-- name: EndMerge :execrows
UPDATE entity_merges SET undone_at = @undone_at, undone_by = @undone_by WHERE id = @id AND undone_at IS NULL;

-- name: SetMerged :exec
UPDATE entities SET status = 'merged', merged_into = @winner_id, version = version + 1, updated_at = @updated_at
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: SetUnmerged :exec
UPDATE entities SET status = 'active', merged_into = NULL, version = version + 1, updated_at = @updated_at
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: TouchEntity :exec
UPDATE entities SET version = version + 1, updated_at = @updated_at WHERE id = @id;

-- name: SetEntityStatus :exec
UPDATE entities SET status = @status, version = version + 1, updated_at = @updated_at WHERE id = @id;

-- name: EntityStates :many
SELECT e.id, e.status, e.merged_into FROM entities e WHERE e.id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- Postgres locks the rows here, in the order of their ids.
-- name: LockStates :many
SELECT e.id, e.status, e.merged_into FROM entities e WHERE e.id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) ORDER BY e.id FOR NO KEY UPDATE;

-- Adds to the counter instead of counting anew: right under concurrency.
-- name: AddDegree :exec
UPDATE entities SET degree = degree + @delta WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- Relationships that are or were at one of the entities.
-- name: EdgesOfEntities :many
SELECT r.id, r.from_entity_id, r.to_entity_id, r.origin_from_id, r.origin_to_id, r.type, r.status, r.merged_into, r.confidence,
  r.own_confidence, r.rejected
FROM relationships r WHERE r.id IN (
  SELECT a.id FROM relationships a WHERE a.from_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  UNION SELECT b.id FROM relationships b WHERE b.to_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  UNION SELECT c.id FROM relationships c WHERE c.origin_from_id IS NOT NULL AND c.origin_from_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  UNION SELECT d.id FROM relationships d WHERE d.origin_to_id IS NOT NULL AND d.origin_to_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))));

-- name: EdgesByIDs :many
SELECT r.id, r.from_entity_id, r.to_entity_id, r.origin_from_id, r.origin_to_id, r.type, r.status, r.merged_into, r.confidence,
  r.own_confidence, r.rejected
FROM relationships r WHERE r.id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: EdgesMergedInto :many
SELECT r.id, r.from_entity_id, r.to_entity_id, r.origin_from_id, r.origin_to_id, r.type, r.status, r.merged_into, r.confidence,
  r.own_confidence, r.rejected
FROM relationships r WHERE r.merged_into IS NOT NULL AND r.merged_into = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: EdgesByKeys :many
SELECT r.id, r.from_entity_id, r.to_entity_id, r.origin_from_id, r.origin_to_id, r.type, r.status, r.merged_into, r.confidence,
  r.own_confidence, r.rejected
FROM jsonb_to_recordset(CAST(CAST(@keys AS TEXT) AS JSONB)) AS k ("from" TEXT, "to" TEXT, type TEXT)
JOIN relationships r ON r.from_entity_id = k."from" AND r.to_entity_id = k."to" AND r.type = k.type;

-- name: EdgesHome :exec
UPDATE relationships SET from_entity_id = COALESCE(origin_from_id, from_entity_id), to_entity_id = COALESCE(origin_to_id, to_entity_id),
  origin_from_id = NULL, origin_to_id = NULL
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- Brings evidence back to the relationships that it was found for.
-- name: HomeEvidence :exec
UPDATE relationship_evidence SET relationship_id = COALESCE(origin_id, relationship_id), origin_id = NULL
WHERE origin_id IS NOT NULL AND origin_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  AND NOT EXISTS (SELECT 1 FROM relationship_evidence v
    WHERE v.relationship_id = relationship_evidence.origin_id AND v.content_id = relationship_evidence.content_id
      AND v.extractor = relationship_evidence.extractor AND v.start_offset = relationship_evidence.start_offset
      AND v.end_offset = relationship_evidence.end_offset);

-- name: RecountEvidence :exec
UPDATE relationships SET evidence_count = (SELECT COUNT(*) FROM relationship_evidence v WHERE v.relationship_id = relationships.id)
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: Reweigh :exec
UPDATE relationships SET weight = confidence * CASE WHEN evidence_count > 1 THEN evidence_count ELSE 1 END
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- Sends mentions home that came from younger entities than the given one, which has the same places from the same extractors.
-- name: DisplaceMentions :exec
UPDATE mentions SET entity_id = COALESCE(origin_id, entity_id), origin_id = NULL
WHERE mentions.entity_id = @to_id AND mentions.origin_id IS NOT NULL AND mentions.origin_id > @from_id
  AND EXISTS (SELECT 1 FROM mentions m
    WHERE m.content_id = mentions.content_id AND m.entity_id = @from_id AND m.extractor = mentions.extractor
      AND m.start_offset = mentions.start_offset AND m.end_offset = mentions.end_offset);

-- A mention of a place that the other entity has from the same extractor stays.
-- name: MoveMentions :execrows
UPDATE mentions SET origin_id = COALESCE(origin_id, entity_id), entity_id = @to_id
WHERE mentions.entity_id = @from_id
  AND NOT EXISTS (SELECT 1 FROM mentions m
    WHERE m.content_id = mentions.content_id AND m.entity_id = @to_id AND m.extractor = mentions.extractor
      AND m.start_offset = mentions.start_offset AND m.end_offset = mentions.end_offset);

-- name: HomeMentions :exec
UPDATE mentions SET entity_id = COALESCE(origin_id, entity_id), origin_id = NULL
WHERE origin_id IS NOT NULL AND origin_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  AND NOT EXISTS (SELECT 1 FROM mentions m
    WHERE m.content_id = mentions.content_id AND m.entity_id = mentions.origin_id AND m.extractor = mentions.extractor
      AND m.start_offset = mentions.start_offset AND m.end_offset = mentions.end_offset);

-- name: RecountMentions :exec
UPDATE entities SET mention_count = (SELECT COUNT(*) FROM mentions m WHERE m.entity_id = entities.id),
  first_seen_at = COALESCE((SELECT MIN(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0),
  last_seen_at = COALESCE((SELECT MAX(m.published_at) FROM mentions m WHERE m.entity_id = entities.id AND m.published_at > 0), 0)
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- name: MoveAliases :execrows
UPDATE entity_aliases SET origin_id = COALESCE(origin_id, entity_id), entity_id = @to_id,
  type = COALESCE((SELECT w.type FROM entities w WHERE w.id = @to_id), type)
WHERE entity_aliases.entity_id = @from_id
  AND NOT EXISTS (SELECT 1 FROM entity_aliases a WHERE a.entity_id = @to_id AND a.alias_key = entity_aliases.alias_key)
  AND NOT EXISTS (SELECT 1 FROM entities e WHERE e.id = @to_id AND e.name_key = entity_aliases.alias_key);

-- Aliases that were made of names stay with the entity that they were made for.
-- name: HomeAliases :exec
UPDATE entity_aliases SET entity_id = COALESCE(origin_id, entity_id), origin_id = NULL,
  type = COALESCE((SELECT o.type FROM entities o WHERE o.id = entity_aliases.origin_id), type)
WHERE origin_id IS NOT NULL AND source <> 'merge' AND origin_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))))
  AND NOT EXISTS (SELECT 1 FROM entity_aliases a WHERE a.entity_id = entity_aliases.origin_id AND a.alias_key = entity_aliases.alias_key);

-- name: DeleteMergeAliases :exec
DELETE FROM entity_aliases WHERE origin_id IS NOT NULL AND source = 'merge' AND origin_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- The name of one entity becomes an alias of another one that does not have it.
-- name: AddMergeAlias :execrows
INSERT INTO entity_aliases (entity_id, alias_key, alias, type, language, source, origin_id)
SELECT w.id, l.name_key, l.name, w.type, '', 'merge', l.id
FROM entities l JOIN entities w ON w.id = @to_id
WHERE l.id = @from_id AND l.name_key <> w.name_key
  AND NOT EXISTS (SELECT 1 FROM entity_aliases a WHERE a.entity_id = @to_id AND a.alias_key = l.name_key);

-- name: MoveExternalIDs :exec
UPDATE entity_external_ids SET origin_id = COALESCE(origin_id, entity_id), entity_id = @to_id
WHERE entity_id = @from_id;

-- name: HomeExternalIDs :exec
UPDATE entity_external_ids SET entity_id = COALESCE(origin_id, entity_id), origin_id = NULL
WHERE origin_id IS NOT NULL AND origin_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- What a person rejects is out of the graph with its relationships.
-- name: SuppressFrom :exec
UPDATE relationships SET status = 'suppressed', version = version + 1, updated_at = @updated_at
WHERE from_entity_id = @entity_id AND status = 'active';

-- name: SuppressTo :exec
UPDATE relationships SET status = 'suppressed', version = version + 1, updated_at = @updated_at
WHERE to_entity_id = @entity_id AND status = 'active';

-- name: ReviveFrom :exec
UPDATE relationships SET status = 'active', version = version + 1, updated_at = @updated_at
WHERE from_entity_id = @entity_id AND status = 'suppressed'
  AND EXISTS (SELECT 1 FROM entities e WHERE e.id = relationships.to_entity_id AND e.status = 'active');

-- name: ReviveTo :exec
UPDATE relationships SET status = 'active', version = version + 1, updated_at = @updated_at
WHERE to_entity_id = @entity_id AND status = 'suppressed'
  AND EXISTS (SELECT 1 FROM entities e WHERE e.id = relationships.from_entity_id AND e.status = 'active');

-- name: ActiveEnds :many
SELECT r.id, r.from_entity_id, r.to_entity_id FROM relationships r WHERE r.from_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) AND r.status = 'active'
UNION
SELECT r.id, r.from_entity_id, r.to_entity_id FROM relationships r WHERE r.to_entity_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) AND r.status = 'active';
