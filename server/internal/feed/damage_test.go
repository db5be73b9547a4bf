package feed

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mmcdole/gofeed"
)

// What a damaged document may cost (processor time, and bytes allocated), and what of its items must be recovered.
// The share of a kind is asserted where enough items speak for it.
const (
	maxDamageTime  = 2 * time.Second
	maxDamageBytes = 256 << 20
	wantOverall    = 0.99
	wantOfKind     = 0.95
	enoughItems    = 20
)

// tally counts, for one kind of damage, items by the rule of damagesubject_test.go.
type tally struct {
	family                              string
	kinds, documents, gofeed, unflagged int
	counts
}

func (t tally) share() float64 { return float64(t.recovered) / float64(max(t.left, 1)) }

// damageRun damages subjects in every way and parses them.
type damageRun struct {
	t          *testing.T
	rounds     int
	withGofeed bool
	kinds      []string
	tallies    map[string]*tally
	worstTime  time.Duration
	worstBytes uint64
}

func (run *damageRun) all(subjects []*subject) {
	run.tallies = map[string]*tally{}
	for _, json := range []bool{false, true} {
		list := xmlDamages()
		if json {
			list = jsonDamages()
		}
		for _, d := range list {
			if run.tallies[d.name] != nil {
				run.t.Fatalf("two kinds are called %q", d.name)
			}
			run.kinds = append(run.kinds, d.name)
			run.tallies[d.name] = &tally{family: d.family, kinds: 1}
			for _, s := range subjects {
				if s.json == json {
					run.damage(s, d)
				}
			}
		}
	}
}

// seed makes the places of a damage depend on the document and the kind alone.
func seed(parts ...string) int64 {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return int64(h.Sum64())
}

func (run *damageRun) damage(s *subject, d damage) {
	r := rand.New(rand.NewSource(seed(s.name, d.name)))
	for round := range run.rounds {
		list := d.apply(s, r)
		if list == nil {
			return
		}
		broken := applyChanges(s.doc, list)
		if d.encode != nil {
			if broken = d.encode(broken); broken == nil {
				return
			}
		}
		doc, err := run.parse(s, d, broken)
		k := run.tallies[d.name]
		k.documents++
		var have []readItem
		if err == nil {
			have = readItems(doc)
			if !doc.Repaired && len(doc.Warnings) == 0 {
				k.unflagged++
			}
		}
		c := s.score(list, s.original(), have)
		k.counts.add(c)
		if (c.recovered < c.left || c.same < c.untouched) && run.shows(d.name) {
			run.t.Logf("%s, %s, round %d: %+v, error %v", s.name, d.name, round, c, err)
			if dir := os.Getenv("KGL_DAMAGE_KEEP"); dir != "" {
				name := strings.NewReplacer("/", "_", " ", "_").Replace(d.name + "-" + s.name)
				os.WriteFile(filepath.Join(dir, name), broken, 0o600)
			}
		}
		if run.withGofeed && s.gofeed != nil {
			if theirs, err := gofeed.NewParser().Parse(bytes.NewReader(broken)); err == nil {
				k.gofeed += s.score(list, gofeedItems(s.gofeed), gofeedItems(theirs.Items)).recovered
			}
		}
	}
}

// shows reports whether the losses of a kind are logged one by one:
// KGL_DAMAGE_SHOW is a part of its name.
func (run *damageRun) shows(kind string) bool {
	part := os.Getenv("KGL_DAMAGE_SHOW")
	return part != "" && strings.Contains(kind, part)
}

// parse reads a damaged document, and measures what that takes.
func (run *damageRun) parse(s *subject, d damage, broken []byte) (*Document, error) {
	opts := testOptions()
	opts.ContentType, opts.BaseURL = d.contentType, s.base
	doc, took, taken, err := measuredParse(run.t, broken, opts)
	run.worstTime, run.worstBytes = max(run.worstTime, took), max(run.worstBytes, taken)
	if took > maxDamageTime || taken > maxDamageBytes {
		run.t.Errorf("%s, %s: took %v and %d MiB", s.name, d.name, took, taken>>20)
	}
	if err == nil {
		checkDocument(run.t, s.name+", "+d.name, doc)
	}
	return doc, err
}

// measuredParse parses a document and returns what that took: the processor time
// of the process, because the machine may be busy with something else, and the
// bytes allocated in all, which bound the peak from above.
func measuredParse(t *testing.T, body []byte, opts Options) (doc *Document, took time.Duration, taken uint64, err error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processorTime(t)
	doc, err = Parse(context.Background(), body, opts)
	took = processorTime(t) - start
	runtime.ReadMemStats(&after)
	return doc, took, after.TotalAlloc - before.TotalAlloc, err
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// check asserts the shares, and logs them as the tables of docs/damage.md: by
// family, and by kind with the worst first.
func (run *damageRun) check() {
	run.t.Helper()
	all := &tally{}
	families := map[string]*tally{}
	var order []string
	for _, name := range run.kinds {
		k := run.tallies[name]
		if families[k.family] == nil {
			families[k.family] = &tally{}
			order = append(order, k.family)
		}
		families[k.family].add(k)
		all.add(k)
		if k.left >= enoughItems && k.share() < wantOfKind {
			run.t.Errorf("%s: %d of %d items recovered, want %.0f %%", name, k.recovered, k.left, 100*wantOfKind)
		}
	}
	if same := float64(all.same) / float64(max(all.untouched, 1)); same < wantOverall {
		run.t.Errorf("%d of %d items beside the damage have their text, want %.0f %%", all.same, all.untouched, 100*wantOverall)
	}
	if all.share() < wantOverall {
		run.t.Errorf("%d of %d items recovered, want %.0f %%", all.recovered, all.left, 100*wantOverall)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d of %d items recovered; of %d beside the damage, %d have their text\n", all.recovered, all.left, all.untouched, all.same)
	fmt.Fprintf(&out, "%d kinds, %d documents; at most %v and %d KiB for one\n\n", len(run.kinds), all.documents, run.worstTime.Round(time.Millisecond), run.worstBytes>>10)
	fmt.Fprintln(&out, "| family | kinds | documents | items | gofeed alone | here |\n|---|---|---|---|---|---|")
	for _, name := range order {
		fmt.Fprintf(&out, "| %s | %d %s", name, families[name].kinds, run.cells(families[name]))
	}
	fmt.Fprintf(&out, "| all | %d %s\n", all.kinds, run.cells(all))
	sort.SliceStable(run.kinds, func(i, j int) bool {
		return run.tallies[run.kinds[i]].share() < run.tallies[run.kinds[j]].share()
	})
	fmt.Fprintln(&out, "| kind | documents | items | gofeed alone | here |\n|---|---|---|---|---|")
	for _, name := range run.kinds {
		if k := run.tallies[name]; k.left > 0 {
			fmt.Fprintf(&out, "| %s %s", name, run.cells(k))
		}
	}
	run.t.Log(out.String())
}

func (t *tally) add(k *tally) {
	t.kinds += k.kinds
	t.documents += k.documents
	t.counts.add(k.counts)
	t.gofeed += k.gofeed
}

func (run *damageRun) cells(k *tally) string {
	percent := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(k.left, 1))) }
	theirs := "not run"
	if run.withGofeed {
		theirs = percent(k.gofeed)
	}
	return fmt.Sprintf("| %d | %d | %s | %s |\n", k.documents, k.left, theirs, percent(k.recovered))
}

func TestDamagedFixtures(t *testing.T) {
	var subjects []*subject
	names, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range names {
		name := filepath.Base(path)
		if s, ok := newSubject(t, name, fixture(t, name)); ok {
			subjects = append(subjects, s)
		}
	}
	if len(subjects) < 7 {
		t.Fatalf("%d of %d fixtures can be damaged", len(subjects), len(names))
	}
	run := damageRun{t: t, rounds: 1, withGofeed: os.Getenv("KGL_DAMAGE") != ""}
	run.all(subjects)
	for name, k := range run.tallies {
		if k.left == 0 {
			t.Errorf("no fixture offers a place for %q", name)
		}
	}
	run.check()
}

// TestDamagedCapturedFeeds damages feeds of the wild: some of them, or, with
// KGL_DAMAGE=all, all that are of real size, beside gofeed alone.
func TestDamagedCapturedFeeds(t *testing.T) {
	dir := sharedDir(t, "feeds")
	most, biggest, whole := 8, 30_000, os.Getenv("KGL_DAMAGE") == "all"
	if whole {
		most, biggest = 1<<30, 100_000
	}
	subjects := capturedSubjects(t, dir, most, biggest)
	run := damageRun{t: t, rounds: 1, withGofeed: whole}
	run.all(subjects)
	run.check()
}

// capturedSubjects takes sound feeds of real size: at least 2 KB and two items.
func capturedSubjects(t *testing.T, dir string, most, biggest int) []*subject {
	var xml, json []*subject
	walkFiles(t, dir, func(path string, body []byte) {
		if len(body) < 2000 || len(body) > biggest {
			return
		}
		s, ok := newSubject(t, strings.TrimPrefix(path, dir+"/"), body)
		switch {
		case !ok || len(s.items) < 2:
		case s.json:
			json = append(json, s)
		default:
			xml = append(xml, s)
		}
	})
	pick := func(list []*subject, most int) []*subject {
		r := rand.New(rand.NewSource(1))
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:min(len(list), most)]
	}
	out := append(pick(xml, most), pick(json, max(most/4, 1))...)
	t.Logf("%d documents of %d in XML and %d in JSON", len(out), len(xml), len(json))
	return out
}
