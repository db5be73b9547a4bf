// Package sql holds the migrations of both dialects. It has no logic.
package sql

import "embed"

// SQLite holds sqlite/migrations.
//
//go:embed sqlite/migrations/*.sql
var SQLite embed.FS

// Postgres holds postgres/migrations.
//
//go:embed postgres/migrations/*.sql
var Postgres embed.FS
