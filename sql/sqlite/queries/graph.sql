-- name: EntityBriefs :many
SELECT id, name, type, confidence, degree, status, merged_into
FROM entities WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT)));

-- Entities with so many relationships that those which a filter selects are looked for among the heaviest only.
-- name: Hubs :many
SELECT id FROM entities WHERE id IN (SELECT value FROM json_each(CAST(@ids AS TEXT))) AND degree > @degree;

-- name: EdgesBetween :many
SELECT id, from_entity_id, to_entity_id, type, weight, confidence
FROM relationships WHERE from_entity_id = @from_id AND to_entity_id = @to_id AND status = 'active';
