package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// benchNames is how many entities the benchmarks of names work on.
const benchNames = 100_000

// nameMaker makes names as organisations, funds and people have them: words of a
// vocabulary in which few are frequent, with the common words of the trade.
type nameMaker struct {
	r     *rand.Rand
	words []string
	zipf  *rand.Zipf
}

func newNameMaker(seed uint64) *nameMaker {
	m := &nameMaker{r: rand.New(rand.NewPCG(seed, 1))}
	onsets := strings.Fields("b br c ch cl d dr f fl g gr h j k kr l m n p pl pr qu r s sh sl st t th tr v w y z")
	vowels := strings.Fields("a a a e e e i i o o u ai ea ee ia io ou")
	codas := strings.Fields("- - - - - n r s l m t nd rt st ck ng x")
	for range 30_000 {
		var b strings.Builder
		for range 1 + m.r.IntN(3) {
			b.WriteString(onsets[m.r.IntN(len(onsets))] + vowels[m.r.IntN(len(vowels))] + strings.Trim(codas[m.r.IntN(len(codas))], "-"))
		}
		m.words = append(m.words, b.String())
	}
	m.zipf = rand.NewZipf(m.r, 1.05, 20, uint64(len(m.words)-1))
	return m
}

func (m *nameMaker) word() string {
	w := m.words[m.zipf.Uint64()]
	return strings.ToUpper(w[:1]) + w[1:]
}

func (m *nameMaker) name() string {
	tails := strings.Fields("Fund Fund Foundation Studio Studios Media Grant Grants Labs Network Creator Collective Institute Awards Program Group")
	switch m.r.IntN(4) {
	case 0:
		return m.word() + " " + m.word()
	case 1:
		return m.word() + " " + tails[m.r.IntN(len(tails))]
	case 2:
		return m.word() + " " + m.word() + " " + tails[m.r.IntN(len(tails))]
	}
	return m.word() + " Creator " + tails[m.r.IntN(len(tails))]
}

// misspell changes two neighbours or leaves one out.
func (m *nameMaker) misspell(name string) string {
	letters := []rune(name)
	i := 1 + m.r.IntN(len(letters)-2)
	if m.r.IntN(2) == 0 {
		return string(slices.Delete(letters, i, i+1))
	}
	letters[i], letters[i+1] = letters[i+1], letters[i]
	return string(letters)
}

// fillNames stores entities with names, aliases for one in three and a Zipf
// distribution of degrees, and returns the names.
func fillNames(b *testing.B, db *store.DB, m *nameMaker) []string {
	b.Helper()
	ctx := context.Background()
	clock := kgl.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	ids := kgl.NewUUIDv7(clock, strings.NewReader(strings.Repeat("0123456789abcdef", 1<<20)))
	types := strings.Fields("person organization platform grant program")
	seen := map[string]bool{}
	var names []string
	for len(names) < benchNames {
		var batch []kgl.Entity
		for len(batch) < 500 {
			name := m.name()
			if seen[name] {
				name = fmt.Sprint(name, " ", m.word())
			}
			if seen[name] {
				continue
			}
			seen[name] = true
			e := kgl.Entity{
				ID: ids.NewID(), Name: name, NameKey: kgl.NormalizeName(name), Type: types[m.r.IntN(len(types))], Confidence: 0.7,
				Extractor: "mock@1", Version: 1, CreatedAt: clock.Now(), UpdatedAt: clock.Now(),
			}
			if m.r.IntN(3) == 0 {
				e.Aliases = []string{m.name() + " " + m.word()}
			}
			batch, names = append(batch, e), append(names, name)
		}
		if _, _, err := db.UpsertEntities(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	return names
}

// BenchmarkNames measures suggestions and resolutions among 100,000 entities on
// the database of KGL_BENCH_DATABASE, which is filled when it is empty, else on
// a SQLite file of its own.
func BenchmarkNames(b *testing.B) {
	url := os.Getenv("KGL_BENCH_DATABASE")
	if url == "" {
		url = "sqlite:///" + b.TempDir() + "/kgl.db"
	}
	m := newNameMaker(7)
	db := openBench(b, url)
	page, err := db.Entities(context.Background(), kgl.EntityFilter{}, kgl.EntityByName, kgl.Page{Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	if len(page.Rows) == 0 {
		start := time.Now()
		fillNames(b, db, m)
		b.Logf("%d entities stored in %s", benchNames, time.Since(start).Round(time.Millisecond))
		analyze(b, url)
	}
	names := allNames(b, db)
	s := NewEntities(db, kgl.NewFakeClock(time.Now()), nil)
	for _, kind := range []struct {
		name string
		ask  func() string
	}{
		{"one letter", func() string { return strings.ToLower(names[m.r.IntN(len(names))][:1]) }},
		{"three letters", func() string { return names[m.r.IntN(len(names))][:3] }},
		{"beginning", func() string { n := names[m.r.IntN(len(names))]; return n[:len(n)/2+1] }},
		{"whole name", func() string { return names[m.r.IntN(len(names))] }},
		{"misspelled", func() string { return m.misspell(names[m.r.IntN(len(names))]) }},
		{"unknown", func() string { return m.name() + " " + m.word() }},
	} {
		b.Run("suggest/"+kind.name, func(b *testing.B) {
			measure(b, func() (int, error) {
				found, err := s.Suggest(context.Background(), kind.ask(), nil, 10)
				return len(found), err
			})
		})
	}
	for _, kind := range []string{"known", "misspelled"} {
		b.Run("resolve 100/"+kind, func(b *testing.B) {
			measure(b, func() (int, error) {
				asked := make([]Name, 100)
				for i := range asked {
					asked[i].Name = names[m.r.IntN(len(names))]
					if kind == "misspelled" {
						asked[i].Name = m.misspell(asked[i].Name)
					}
				}
				found, err := s.Resolve(context.Background(), asked, 3, 0.5)
				hits := 0
				for _, c := range found {
					hits += min(1, len(c))
				}
				return hits, err
			})
		})
	}
}

// measure reports the quantiles of the time of a call in milliseconds, and how
// much it finds.
func measure(b *testing.B, call func() (int, error)) {
	var took []float64
	found := 0
	before := cpuTime(b)
	for b.Loop() {
		start := time.Now()
		n, err := call()
		if err != nil {
			b.Fatal(err)
		}
		found += n
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	b.ReportMetric((cpuTime(b)-before).Seconds()*1000/float64(len(took)), "cpu-ms")
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "p50-ms")
	b.ReportMetric(took[len(took)*95/100], "p95-ms")
	b.ReportMetric(took[len(took)-1], "max-ms")
	b.ReportMetric(float64(found)/float64(len(took)), "found")
	b.ReportMetric(0, "ns/op")
}

func openBench(b *testing.B, url string) *store.DB {
	b.Helper()
	m, err := store.NewMigrator(url)
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Up(b.Context()); err != nil {
		b.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// analyze does what Postgres does by itself within a minute: its test servers
// have autovacuum off.
func analyze(b *testing.B, url string) {
	b.Helper()
	if !strings.HasPrefix(url, "postgres") {
		return
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

func allNames(b *testing.B, db *store.DB) []string {
	b.Helper()
	var names []string
	p := kgl.Page{Limit: 100}
	for {
		page, err := db.Entities(context.Background(), kgl.EntityFilter{}, kgl.EntityNewestFirst, p)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range page.Rows {
			names = append(names, e.Name)
		}
		if page.Next == nil {
			return names
		}
		p.After = page.Next
	}
}

// cpuTime returns what the process has used: the database, too, when it is
// SQLite.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
