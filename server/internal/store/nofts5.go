//go:build !sqlite_fts5

package store

// SQLite must have its full-text index compiled in: see TAGS in the Makefile.
var _ = build_with_the_go_build_tag_sqlite_fts5
