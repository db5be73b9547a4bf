-- name: EntityBriefs :many
SELECT id, name, type, confidence, degree, status, merged_into
FROM entities WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB))));

-- Entities with so many relationships that those which a filter selects are looked for among the heaviest only.
-- name: Hubs :many
SELECT id FROM entities WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(CAST(@ids AS TEXT) AS JSONB)))) AND degree > @degree;

-- name: EdgesBetween :many
SELECT id, from_entity_id, to_entity_id, type, weight, confidence
FROM relationships WHERE from_entity_id = @from_id AND to_entity_id = @to_id AND status = 'active';
