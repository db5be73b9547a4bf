package transfer

import (
	"context"
	"fmt"
	"slices"
)

// The columns of what is sealed for a source.
const (
	sourcesTable  = "sources"
	secretsColumn = "secrets"
	idColumn      = "id"
)

// resealing is a source whose sealed secrets are read as the target has them, so
// that all that counts and compares rows sees the same.
type resealing struct {
	source
	reseal func(sourceID, sealed string) (string, error)
}

// read implements side.
func (r resealing) read(ctx context.Context, t table, s span, fn func(row []any) error) error {
	named := func(name string) int {
		return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
	}
	id, secrets := named(idColumn), named(secretsColumn)
	if t.name != sourcesTable || id < 0 || secrets < 0 {
		return r.source.read(ctx, t, s, fn)
	}
	return r.source.read(ctx, t, s, func(row []any) error {
		sourceID, _ := row[id].(string)
		if sealed, _ := row[secrets].(string); sealed != "" {
			own, err := r.reseal(sourceID, sealed)
			if err != nil {
				return fmt.Errorf("the credentials of source %s: %w", sourceID, err)
			}
			row[secrets] = own
		}
		return fn(row)
	})
}
