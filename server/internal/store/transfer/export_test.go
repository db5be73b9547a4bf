package transfer

import (
	"context"
	"slices"
)

// WithFault returns options with which fault is called before each step, and
// batches of at most rows.
func (o Options) WithFault(rows int, fault func(step string) error) Options {
	o.batch, o.fault = rows, fault
	return o
}

// CanonicalSum returns the checksum of a row.
func CanonicalSum(row ...any) Sum {
	var h summer
	sum, _ := h.row(row)
	return sum
}

// Plus returns the sum of two checksums.
func (s Sum) Plus(other Sum) Sum {
	s.add(other)
	return s
}

// Catalogue describes the tables of a database as the copy sees them.
func Catalogue(ctx context.Context, url, path string) (map[string]string, error) {
	var s side
	var err error
	if path != "" {
		s, err = openSQLiteSource(ctx, path)
	} else {
		s, err = openPostgresSource(ctx, url)
	}
	if err != nil {
		return nil, err
	}
	defer s.close()
	tables, err := s.tables(ctx)
	shapes := map[string]string{}
	for _, t := range tables {
		slices.Sort(t.parents)
		shapes[t.name] = shape(t) + "; parents " + list(t.parents)
		for i, c := range t.columns {
			shapes[t.name] += "; " + string(rune('a'+i)) + " " + c.name
		}
	}
	return shapes, err
}
