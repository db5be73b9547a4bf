-- One statement, so that all counts are of one moment. Each branch reads one index; the last two take away what is hidden, which is
-- little.
-- name: DashboardCounts :many
SELECT 'source' AS kind, s.status AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(COALESCE(MAX(s.last_success_at), 0) AS BIGINT) AS newest
FROM sources s GROUP BY s.status
UNION ALL
SELECT 'health' AS kind, h.health AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM sources h GROUP BY h.health
UNION ALL
SELECT 'content' AS kind, c.status AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(COALESCE(MAX(c.published_at), 0) AS BIGINT) AS newest
FROM contents c GROUP BY c.status
UNION ALL
SELECT 'duplicate' AS kind, '' AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM contents d WHERE d.duplicate_of IS NOT NULL
UNION ALL
SELECT 'recent' AS kind, '' AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM contents f WHERE f.fetched_at >= @since
UNION ALL
SELECT 'entity' AS kind, e.type AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM entities e GROUP BY e.type
UNION ALL
SELECT 'relationship' AS kind, r.type AS label, CAST(COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM relationships r GROUP BY r.type
UNION ALL
SELECT 'entity' AS kind, x.type AS label, CAST(-COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM entities x WHERE x.status <> 'active' GROUP BY x.type
UNION ALL
SELECT 'relationship' AS kind, y.type AS label, CAST(-COUNT(*) AS BIGINT) AS n, CAST(0 AS BIGINT) AS newest
FROM relationships y WHERE y.status <> 'active' GROUP BY y.type;
