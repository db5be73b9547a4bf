package transfer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kind is what a column holds, which both engines declare in their own words.
type kind byte

// The kinds. Their numbers are part of the checksums.
const (
	kindNull kind = iota
	kindInt
	kindFloat
	kindBool
	kindText
	kindBytes
)

// kindOf returns the kind of a declared type of either engine.
func kindOf(declared string) (kind, bool) {
	switch strings.ToUpper(declared) {
	case "BIGINT", "INTEGER":
		return kindInt, true
	case "DOUBLE PRECISION", "REAL":
		return kindFloat, true
	case "BOOLEAN":
		return kindBool, true
	case "TEXT":
		return kindText, true
	case "BYTEA", "BLOB":
		return kindBytes, true
	}
	return kindNull, false
}

// String returns the word for a value of the kind.
func (k kind) String() string {
	return [...]string{"NULL", "an integer", "a number", "a boolean", "a text", "bytes"}[k]
}

type column struct {
	name string
	kind kind
}

// table is a table of a catalogue.
type table struct {
	name    string
	columns []column
	key     []int    // positions of the columns of the primary key, in its order
	parents []string // tables that its rows refer to, without itself
}

// keyOf returns the primary key of a row.
func (t table) keyOf(row []any) []any {
	key := make([]any, len(t.key))
	for i, at := range t.key {
		key[i] = row[at]
	}
	return key
}

// names returns the quoted names of the columns.
func (t table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = quote(c.name)
	}
	return names
}

func (t table) keyNames() []string {
	names := make([]string, len(t.key))
	for i, at := range t.key {
		names[i] = quote(t.columns[at].name)
	}
	return names
}

// locate says in words which row of the table an error is about.
func (t table) locate(row []any) string {
	var parts []string
	for _, at := range t.key {
		parts = append(parts, fmt.Sprintf("%s %v", t.columns[at].name, row[at]))
	}
	return t.name + ", " + strings.Join(parts, ", ")
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// match returns the tables of the target, parents first, each of which the
// source must have with the same columns, and the names of tables that only the
// source has.
func match(from, to []table) (tables []table, ignored []string, err error) {
	have := byName(from)
	for _, t := range to {
		s, ok := have[t.name]
		if !ok {
			return nil, nil, fmt.Errorf("the source has no table %s, though its schema has the version that has it", t.name)
		}
		if a, b := shape(s), shape(t); a != b {
			return nil, nil, fmt.Errorf("the table %s has other columns in the source (%s) than in the target (%s)", t.name, a, b)
		}
		delete(have, t.name)
	}
	for name := range have {
		ignored = append(ignored, name)
	}
	slices.Sort(ignored)
	tables, err = parentsFirst(to)
	return tables, ignored, err
}

func byName(tables []table) map[string]table {
	m := make(map[string]table, len(tables))
	for _, t := range tables {
		m[t.name] = t
	}
	return m
}

// shape returns the columns of a table in an order of its own, and its key.
func shape(t table) string {
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = c.name + " " + c.kind.String()
	}
	slices.Sort(columns)
	return strings.Join(columns, ", ") + "; key " + strings.Join(t.keyNames(), ", ")
}

// parentsFirst sorts tables so that each comes after those it refers to.
func parentsFirst(tables []table) ([]table, error) {
	left := slices.Clone(tables)
	slices.SortFunc(left, func(a, b table) int { return strings.Compare(a.name, b.name) })
	placed := map[string]bool{}
	var sorted []table
	for len(left) > 0 {
		n := slices.IndexFunc(left, func(t table) bool {
			return !slices.ContainsFunc(t.parents, func(p string) bool { return !placed[p] })
		})
		if n < 0 {
			return nil, fmt.Errorf("the tables refer to each other in a circle, beginning with %s", left[0].name)
		}
		placed[left[n].name] = true
		sorted = append(sorted, left[n])
		left = slices.Delete(left, n, n+1)
	}
	return sorted, nil
}

// add adds a column of a declared type.
func (t *table) add(name, declared string) error {
	k, ok := kindOf(declared)
	if !ok {
		return fmt.Errorf("the column %s of %s has the type %s, which a copy cannot carry", name, t.name, declared)
	}
	t.columns = append(t.columns, column{name: name, kind: k})
	return nil
}

// check makes sure that the rows of the table can be told apart.
func (t *table) check() error {
	if len(t.key) == 0 {
		return fmt.Errorf("the table %s has no primary key, without which a copy cannot go on where it was", t.name)
	}
	return nil
}

// where returns the condition of a span with its arguments. mark is the sign of
// the engine's placeholders.
func (s span) where(t table, mark string) (condition string, args []any) {
	var conditions []string
	for _, bound := range []struct {
		operator string
		key      []any
	}{{" > ", s.after}, {" <= ", s.upTo}} {
		if bound.key == nil {
			continue
		}
		places := make([]string, len(bound.key))
		for i, value := range bound.key {
			args = append(args, value)
			places[i] = mark + strconv.Itoa(len(args))
		}
		conditions = append(conditions, "("+strings.Join(t.keyNames(), ", ")+")"+bound.operator+"("+strings.Join(places, ", ")+")")
	}
	if conditions == nil {
		return "", nil
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}
