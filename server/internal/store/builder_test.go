package store

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// TestListQueriesHoldNoValues builds every list with values that would break
// out of a statement, and checks that all of them are parameters.
func TestListQueriesHoldNoValues(t *testing.T) {
	const evil = "x' OR 1=1; DROP TABLE users; --"
	p := kgl.Page{After: &kgl.Position{Text: evil, ID: evil, Int: 7777777, Number: 0.7777777}}
	span := kgl.TimeRange{Since: time.UnixMicro(7777777), Until: time.UnixMicro(7777777)}
	for _, e := range []Engine{SQLite, Postgres} {
		sources := func(sort kgl.SourceSort) *listQuery {
			q, _ := sourcesQuery(e, kgl.SourceFilter{Status: []kgl.SourceStatus{evil, evil}, Host: evil, Tag: evil, TitlePrefix: evil}, sort, p)
			return q
		}
		for name, q := range map[string]*listQuery{
			"sources by time":  sources(kgl.SourceNewestFirst),
			"sources by title": sources(kgl.SourceByTitle),
			"unknown order":    sources(evil),
			"fetches":          fetchesQuery(e, evil, p),
			"contents": contentsQuery(e, kgl.ContentFilter{SourceID: evil, Status: []kgl.ContentStatus{evil, evil}, Language: evil, Published: span,
				Duplicates: evil}, evil, true, p),
			"revisions": revisionsQuery(e, evil, p),
			"entities":  entitiesQuery(e, kgl.EntityFilter{Types: []string{evil, evil}, NamePrefix: evil, MinConfidence: 0.7777777}, evil, p),
			"relations": relationshipsQuery(e, kgl.RelationshipFilter{Type: evil, FromEntityID: evil, ToEntityID: evil, MinConfidence: 0.7777777}, kgl.RelationshipNewestFirst, p),
			"users":     usersQuery(e, kgl.UserFilter{Role: evil, Status: evil, EmailPrefix: evil}, p),
			"audit": auditQuery(e, kgl.AuditFilter{ActorID: evil, Action: evil, SubjectType: evil, SubjectID: evil, Outcome: evil, At: span},
				p),
		} {
			q.limit = 7777777
			checkParameters(t, string(e)+" "+name, q)
		}
	}
}

var placeholder = regexp.MustCompile(`[$?](\d+)`)

func checkParameters(t *testing.T, name string, q *listQuery) {
	t.Helper()
	text, args := q.text()
	if q.engine == Postgres { // the one number that does not come from a caller's text
		text = strings.TrimSuffix(text, " LIMIT "+strconv.Itoa(q.limit+1))
	}
	if strings.Contains(text, "DROP") || strings.Contains(text, "777") {
		t.Errorf("%s: a value stands in the statement:\n%s", name, text)
	}
	used := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
	}
	if len(used) != len(args) {
		t.Errorf("%s: %d parameters for %d values:\n%s", name, len(used), len(args), text)
	}
	if strings.Contains(text, "OFFSET") {
		t.Errorf("%s: rows are counted:\n%s", name, text)
	}
}

func TestListQueryText(t *testing.T) {
	q := newList(Postgres, "SELECT a FROM t")
	q.in("s", []string{"x"})
	q.in("s", nil)
	q.in("u", []string{"x", "y"})
	q.orderBy(descending, []sqlText{"k", "id"}, []any{int64(5), "i"})
	q.limit = 20
	text, args := q.text()
	const want = "SELECT a FROM t WHERE s = $1 AND u IN ($2, $3) AND (k, id) < ($4, $5) ORDER BY k DESC, id DESC LIMIT 21"
	if text != want || len(args) != 5 || args[4] != "i" {
		t.Errorf("%s\n%v", text, args)
	}
	q = newList(SQLite, "SELECT a FROM t")
	q.orderBy(ascending, []sqlText{"id"}, nil)
	if text, _ := q.text(); text != "SELECT a FROM t ORDER BY id LIMIT ?1" {
		t.Error(text)
	}
}

func TestJitterStaysInBounds(t *testing.T) {
	for _, random := range []string{"\x00\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x12\x34\x56\x78\x9a\xbc\xde\xf0", "short"} {
		j := &jitter{random: strings.NewReader(random)}
		if d := j.spread(time.Second); d < time.Second/2 || d > time.Second {
			t.Errorf("%q: %v", random, d)
		}
	}
	if d := (&jitter{}).spread(time.Second); d != time.Second {
		t.Errorf("without a random source: %v", d)
	}
}
