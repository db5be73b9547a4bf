package graph

import (
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestComposedNames holds that a name is the same however its accents are
// encoded.
func TestComposedNames(t *testing.T) {
	const composed, apart = "Caf\u00e9 Fund", "Cafe\u0301 Fund"
	w := newWorld(t)
	e := w.add("grant", apart, NewEntity{Aliases: []string{"F\u00f6n", "Fo\u0308n"}})
	if e.Name != composed || len(e.Aliases) != 1 {
		t.Fatalf("stored %+q with the aliases %+q", e.Name, e.Aliases)
	}
	_, err := w.entities.Create(w.ctx, NewEntity{Name: composed, Type: "grant"})
	wantCode(t, err, kgl.CodeConflict)
	for _, name := range []string{composed, apart} {
		resolved, err := w.entities.Resolve(w.ctx, []Name{{Name: name}}, 1, 1)
		w.must(err)
		suggested, err := w.entities.Suggest(w.ctx, name[:strings.Index(name, " ")], nil, 1)
		w.must(err)
		listed, err := w.entities.List(w.ctx, kgl.EntityFilter{NamePrefix: name}, "", kgl.Page{})
		w.must(err)
		if len(resolved[0]) != 1 || len(suggested) != 1 || len(listed.Rows) != 1 {
			t.Errorf("%+q resolves to %d, suggests %d, lists %d", name, len(resolved[0]), len(suggested), len(listed.Rows))
		}
	}
	w.must(w.entities.RemoveAlias(w.ctx, e.ID, "Fo\u0308n"))
	long := strings.Repeat("\U0001D160", MaxNameRunes) // each becomes three
	if e := w.add("grant", long, NewEntity{}); e.Name != long {
		t.Errorf("a long name became one of %d characters", len([]rune(e.Name)))
	}
}
