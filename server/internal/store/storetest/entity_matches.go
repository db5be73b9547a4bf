package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runEntityMatches(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"a beginning finds names and aliases, the same name first, then the best connected", prefixOrder},
		{"a beginning that very many have finds the best connected", prefixMany},
		{"only active entities of the types are found", matchFilter},
		{"names and aliases are found exactly", exactFind},
		{"entities are found by external ids", externalFind},
		{"similar names are found, the most similar first", similarFind},
		{"similar names are found in every script", similarScripts},
		{"similarity is that of the best name, and is bounded by length", similarBest},
		{"names that differ in their spaces only are found", similarSpelling},
		{"names follow their entities", similarChanges},
		{"a name among very many is found with its mistakes", similarMany},
	})
}

func matchID(m kgl.NameMatch) string { return m.Entity.ID }

// connect gives an entity relationships to that many others.
func connect(t *testing.T, db *store.DB, e kgl.Entity, degree int) {
	t.Helper()
	for n := range degree {
		name := fmt.Sprint("Other of ", e.ID, " ", n)
		other := newEntity(0, "other", name)
		other.ID = e.ID[:24] + fmt.Sprintf("%04d", n+1) + e.ID[28:]
		must(t, db.CreateEntity(ctx(t), other))
		r := newRelationship(0, e, other, "knows")
		r.ID = other.ID
		addRelationships(t, db, r)
	}
}

func prefixOrder(t *testing.T, db *store.DB) {
	little, much := addEntity(t, db, 1, "grant", "Open Fund"), addEntity(t, db, 2, "platform", "Open Studio", "Openly")
	aliased, exact := addEntity(t, db, 3, "grant", "Public Fund", "Open Money"), addEntity(t, db, 4, "concept", "OPEN")
	addEntity(t, db, 5, "grant", "Reopened")
	connect(t, db, much, 3)
	connect(t, db, aliased, 2)
	connect(t, db, little, 1)
	found := got(db.PrefixMatches(ctx(t), "open", nil, 10))(t)
	same(t, idsOf(found, matchID), []string{exact.ID, much.ID, aliased.ID, little.ID})
	if m := found[2]; m.Name != "Open Money" || m.Key != "open money" || !m.Alias || m.Entity.Name != "Public Fund" || m.Entity.Degree != 2 {
		t.Fatalf("found by alias: %+v", m)
	}
	if m := found[1]; m.Name != "Open Studio" || m.Alias {
		t.Fatalf("found by name and alias: %+v", m)
	}
	same(t, idsOf(got(db.PrefixMatches(ctx(t), "open", nil, 2))(t), matchID), []string{exact.ID, much.ID})
	for _, none := range []string{"opened", "%", "_", "zzz"} {
		if n := len(got(db.PrefixMatches(ctx(t), none, nil, 5))(t)); n != 0 {
			t.Fatalf("%q finds %d", none, n)
		}
	}
}

func prefixMany(t *testing.T, db *store.DB) {
	var batch []kgl.Entity
	for n := range 400 {
		batch = append(batch, newEntity(n, "grant", fmt.Sprintf("Same %03d", n)))
	}
	_, _, err := db.UpsertEntities(ctx(t), batch)
	must(t, err)
	hub, named := batch[399], batch[350]
	connect(t, db, hub, 3)
	connect(t, db, named, 2)
	got(db.AddAlias(ctx(t), kgl.Alias{EntityID: named.ID, Alias: "Same as ever"}, minute(1)))(t)
	found := got(db.PrefixMatches(ctx(t), "s", nil, 5))(t)
	if len(found) != 5 {
		t.Fatalf("%d found", len(found))
	}
	same(t, idsOf(found[:2], matchID), []string{hub.ID, named.ID})
}

func matchFilter(t *testing.T, db *store.DB) {
	person, grant := addEntity(t, db, 1, "person", "Open Hand"), addEntity(t, db, 2, "grant", "Open Hands")
	rejected := addEntity(t, db, 3, "grant", "Open Handle", "Open Ham")
	merged := addEntity(t, db, 4, "grant", "Open Handful")
	must(t, db.SetEntityStatus(ctx(t), rejected.ID, kgl.EntityRejected, minute(9)))
	mergeInto(t, db, 1, grant.ID, merged.ID)
	for _, tc := range []struct {
		types []string
		want  []string
	}{{nil, []string{person.ID, grant.ID}}, {[]string{"grant"}, []string{grant.ID}}, {[]string{"grant", "person"}, []string{person.ID, grant.ID}}, {[]string{"event"}, nil}} {
		byPrefix := idsOf(got(db.PrefixMatches(ctx(t), "open ha", tc.types, 9))(t), matchID)
		bySimilarity := idsOf(got(db.SimilarMatches(ctx(t), []string{"open hanb"}, tc.types, 9))(t), matchID)
		slices.Sort(byPrefix)
		slices.Sort(bySimilarity)
		same(t, byPrefix, append([]string{}, tc.want...))
		same(t, bySimilarity, append([]string{}, tc.want...))
	}
	same(t, idsOf(got(db.ExactMatches(ctx(t), []string{"open handle", "open ham", "open handful"}))(t), matchID), []string{grant.ID})
}

func exactFind(t *testing.T, db *store.DB) {
	a := addEntity(t, db, 1, "person", "Mercury", "Hermes")
	b := addEntity(t, db, 2, "platform", "MERCURY")
	connect(t, db, b, 1)
	c := addEntity(t, db, 3, "grant", "Hermes Fund", "Mercury")
	found := got(db.ExactMatches(ctx(t), []string{"mercury", "", "hermes", "unknown", "mercury"}))(t)
	type hit struct {
		asked int
		id    string
		alias bool
	}
	var have []hit
	for _, m := range found {
		have = append(have, hit{m.Asked, m.Entity.ID, m.Alias})
	}
	for _, want := range []hit{{0, b.ID, false}, {0, a.ID, false}, {0, c.ID, true}, {2, a.ID, true}, {4, b.ID, false}, {4, a.ID, false}, {4, c.ID, true}} {
		if !slices.Contains(have, want) {
			t.Errorf("%+v is not found", want)
		}
	}
	if len(have) != 7 {
		t.Errorf("%d are found", len(have))
	}
	if none := got(db.ExactMatches(ctx(t), nil))(t); len(none) != 0 {
		t.Errorf("nothing finds %+v", none)
	}
}

func externalFind(t *testing.T, db *store.DB) {
	a := addNamed(t, db, 1, "person", "Ada", "1", "2")
	b := addNamed(t, db, 2, "person", "Berta", "3")
	rejected := addNamed(t, db, 3, "person", "Cleo", "4")
	must(t, db.SetEntityStatus(ctx(t), rejected.ID, kgl.EntityRejected, minute(9)))
	mergeInto(t, db, 1, a.ID, b.ID)
	asked := []kgl.ExternalID{{Scheme: "x", Value: "3"}, {Scheme: "x", Value: "4"}, {Scheme: "y", Value: "1"}, {Scheme: "x", Value: "2"}}
	found := map[string]string{}
	for _, m := range got(db.ExternalMatches(ctx(t), asked))(t) {
		found[m.ExternalID.Value] = m.Entity.ID
	}
	same(t, found, map[string]string{"3": a.ID, "2": a.ID})
}

func similarFind(t *testing.T, db *store.DB) {
	exact, near := addEntity(t, db, 1, "grant", "Open Creator Fund"), addEntity(t, db, 2, "grant", "Open Creators Fund")
	turned, far := addEntity(t, db, 3, "grant", "Creator Fund, Open"), addEntity(t, db, 4, "grant", "Ocean Research Fund")
	found := got(db.SimilarMatches(ctx(t), []string{"open creator fund", "open creater fnud", "no such name"}, nil, 5))(t)
	asked := map[int][]string{}
	for _, m := range found {
		asked[m.Asked] = append(asked[m.Asked], m.Entity.ID)
		if want := kgl.NameLikeness([]string{"open creator fund", "open creater fnud", ""}[m.Asked], m.Key); m.Likeness != want || want < kgl.NameSimilarity {
			t.Errorf("%s has the likeness %v, want %v", m.Name, m.Likeness, want)
		}
		if m.Entity.ID == far.ID {
			t.Errorf("%s is found", m.Name)
		}
	}
	same(t, asked, map[int][]string{0: {exact.ID, turned.ID, near.ID}, 1: {exact.ID, near.ID, turned.ID}})
	same(t, idsOf(got(db.SimilarMatches(ctx(t), []string{"open creator fund"}, nil, 1))(t), matchID), []string{exact.ID})
	if none := got(db.SimilarMatches(ctx(t), nil, nil, 5))(t); len(none) != 0 {
		t.Errorf("nothing finds %+v", none)
	}
}

func similarScripts(t *testing.T, db *store.DB) {
	for i, name := range []string{"東京国立博物館", "Ünïvërsität Zürich", "Национальный фонд", "صندوق المبدعين", "𝔉und 🎉🎊"} {
		e := addEntity(t, db, i, "organization", name)
		key := []rune(kgl.NormalizeName(name))
		mistaken := string(slices.Delete(slices.Clone(key), len(key)-2, len(key)-1))
		found := got(db.SimilarMatches(ctx(t), []string{mistaken}, nil, 5))(t)
		if len(found) != 1 || found[0].Entity.ID != e.ID {
			t.Errorf("%q finds %+v", mistaken, found)
		}
		if first := got(db.PrefixMatches(ctx(t), string(key[:1]), nil, 5))(t); len(first) != 1 || first[0].Entity.ID != e.ID {
			t.Errorf("%q finds %+v", string(key[:1]), first)
		}
	}
}

func similarBest(t *testing.T, db *store.DB) {
	e := addEntity(t, db, 1, "platform", "Completely Different", "YouTube Kids", "YouTube Kid")
	long := addEntity(t, db, 2, "platform", "YouTube "+strings.Repeat("YouTube ", 5)+"Kids")
	found := got(db.SimilarMatches(ctx(t), []string{"youtube kidz"}, nil, 5))(t)
	if len(found) != 1 || found[0].Entity.ID != e.ID || found[0].Name != "YouTube Kid" || !found[0].Alias {
		t.Fatalf("found %+v", found)
	}
	if _, high := 0, 2*kgl.NameSize("youtube kidz"); kgl.NameSize(long.NameKey) <= high {
		t.Fatal("the long name is not long enough")
	}
}

func similarSpelling(t *testing.T, db *store.DB) {
	apart, joined := addEntity(t, db, 1, "platform", "Ko-fi"), addEntity(t, db, 2, "organization", "Something Else", "OpenAI")
	for n := range 700 { // more than are looked through for trigrams that are so common
		addEntity(t, db, 10+n, "platform", fmt.Sprintf("Ko %03d fi", n))
	}
	finds := func(name string, types []string, want ...string) {
		t.Helper()
		found := got(db.SimilarMatches(ctx(t), []string{kgl.NormalizeName(name)}, types, 1))(t)
		same(t, idsOf(found, matchID), append([]string{}, want...))
		if len(found) > 0 && found[0].Likeness != kgl.SpellingLikeness {
			t.Errorf("%q has the likeness %v", name, found[0].Likeness)
		}
	}
	finds("kofi", nil, apart.ID)
	finds("K.O.F.I", nil, apart.ID)
	finds("open AI", nil, joined.ID)
	finds("open AI", []string{"organization"}, joined.ID)
	finds("open AI", []string{"person"})
	must(t, db.DeleteEntity(ctx(t), apart.ID))
	for _, m := range got(db.SimilarMatches(ctx(t), []string{"kofi"}, nil, 5))(t) {
		if m.Likeness == kgl.SpellingLikeness {
			t.Errorf("%s is found", m.Name)
		}
	}
}

func similarChanges(t *testing.T, db *store.DB) {
	finds := func(key string, want ...string) {
		t.Helper()
		same(t, idsOf(got(db.SimilarMatches(ctx(t), []string{key}, nil, 5))(t), matchID), append([]string{}, want...))
	}
	e := addEntity(t, db, 1, "person", "Katharina", "Countess Kate")
	finds("katarina", e.ID)
	e.Name, e.NameKey = "Wilhelmina", "wilhelmina"
	e = got(db.UpdateEntity(ctx(t), e))(t)
	finds("katarina")
	finds("wilhelmine", e.ID)
	finds("countes kate", e.ID)
	got(db.RemoveAlias(ctx(t), e.ID, "countess kate", minute(9)))(t)
	finds("countes kate")
	got(db.AddAlias(ctx(t), kgl.Alias{EntityID: e.ID, Alias: "Wilhelmine"}, minute(9)))(t)
	finds("wilhelminx", e.ID)
	must(t, db.DeleteEntity(ctx(t), e.ID))
	finds("wilhelmina")
	other := newEntity(2, "person", "Katharina")
	other.Aliases = []string{"Ekaterina"}
	_, _, err := db.UpsertEntities(ctx(t), []kgl.Entity{other})
	must(t, err)
	finds("ekaterina", other.ID)
	finds("katarina", other.ID)
}

// similarMany looks for one name among a thousand that have most trigrams in
// common with it.
func similarMany(t *testing.T, db *store.DB) {
	var batch []kgl.Entity
	for n := range 1000 {
		batch = append(batch, newEntity(n, "grant", fmt.Sprintf("Creator Fund %c%c%c", 'a'+n/100, 'k'+n/10%10, 'p'+n%10)))
	}
	batch = append(batch, newEntity(5000, "grant", "Creator Fund Zwolle"))
	_, _, err := db.UpsertEntities(ctx(t), batch)
	must(t, err)
	keys := []string{"creator fund zwole", "creator fnud zwolle"}
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("creator funds %c%c%c", 'a'+i%10, 'k'+i%7, 'p'+i%9))
	}
	found := got(db.SimilarMatches(ctx(t), keys, nil, 3))(t)
	first := map[int]string{}
	for _, m := range found {
		if first[m.Asked] == "" {
			first[m.Asked] = m.Entity.ID
		}
	}
	if first[0] != id(5000) || first[1] != id(5000) {
		t.Fatalf("found %v first", first)
	}
	for i := range 40 {
		if want := id(i%10*100 + i%7*10 + i%9); first[i+2] != want {
			t.Errorf("%q finds %s, want %s", keys[i+2], first[i+2], want)
		}
	}
}
