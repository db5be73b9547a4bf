package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// opmlOf returns a list of n feeds on a few hosts.
func opmlOf(n int) []byte {
	var b strings.Builder
	b.WriteString("<opml><body>\n")
	for i := range n {
		fmt.Fprintf(&b, "<outline text='Feed %d' xmlUrl='https://host%d.example/feed%d'/>\n", i, i%97, i)
	}
	b.WriteString("</body></opml>")
	return []byte(b.String())
}

func (w *world) importer(store kgl.Store, owner string) (*Imports, *ImportWorker) {
	imports := NewImports(NewSources(store, w.client(), w.clock, w.ids, nil), nil)
	return imports, NewImportWorker(imports, owner, slog.New(slog.DiscardHandler))
}

func (w *world) imported(imports *Imports, id string) kgl.SourceImport {
	w.t.Helper()
	i, err := imports.Get(w.t.Context(), id)
	w.must(err)
	return i
}

// breaking is a store on which the outcomes of lines cannot be stored any more
// after some batches, as when the process dies or the disk is full.
type breaking struct {
	kgl.Store
	left *int
}

var errBroken = errors.New("broken")

func (s breaking) InTx(ctx context.Context, fn func(ctx context.Context, tx kgl.Store) error) error {
	return s.Store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error { return fn(ctx, breaking{tx, s.left}) })
}

func (s breaking) FinishImportLines(ctx context.Context, l kgl.ImportLease, lines []kgl.ImportLine, now time.Time) (kgl.SourceImport, error) {
	if *s.left--; *s.left < 0 {
		return kgl.SourceImport{}, errBroken
	}
	return s.Store.FinishImportLines(ctx, l, lines, now)
}

// TestImportResumes: a worker that breaks in the middle loses nothing and makes
// nothing twice, whoever goes on.
func TestImportResumes(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		left := 2
		imports, dying := w.importer(breaking{w.db, &left}, "dying")
		i, err := imports.Start(t.Context(), NewImport{Body: opmlOf(3*importBatch - 7)})
		w.must(err)
		if _, err := dying.Once(t.Context()); !errors.Is(err, errBroken) {
			t.Fatalf("err = %v", err)
		}
		if now := w.imported(imports, i.ID); now.State != kgl.ImportRunning || now.Processed != 2*importBatch || now.Added != 2*importBatch {
			t.Errorf("after two batches: %+v", now)
		}
		_, heir := w.importer(w.db, "heir")
		worked, err := heir.Once(t.Context())
		w.must(err)
		now := w.imported(imports, i.ID)
		w.want("worked", worked, true)
		if now.State != kgl.ImportDone || now.Processed != now.Total || now.Added != now.Total {
			t.Errorf("after all: %+v", now)
		}
		w.want("events", strings.Count(w.events(), string(kgl.EventSourceCreated)), now.Total)
		if worked, err := heir.Once(t.Context()); worked || err != nil {
			t.Errorf("worked %t on nothing: %v", worked, err)
		}
	})
}

// TestImportLease: what a dead worker had goes on when its lease ends, and not
// before.
func TestImportLease(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		imports, worker := w.importer(w.db, "heir")
		_, err := imports.Start(t.Context(), NewImport{Body: opmlOf(3)})
		w.must(err)
		_, _, err = w.db.ClaimSourceImport(t.Context(), "dead", w.clock.Now(), w.clock.Now().Add(importLease))
		w.must(err)
		if worked, err := worker.Once(t.Context()); worked || err != nil {
			t.Errorf("worked %t within the lease of another: %v", worked, err)
		}
		w.clock.Advance(importLease)
		if worked, err := worker.Once(t.Context()); !worked || err != nil {
			t.Errorf("worked %t after the lease: %v", worked, err)
		}
	})
}

// TestImportShared: several workers share several imports, and each feed is
// added once.
func TestImportShared(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		imports, _ := w.importer(w.db, "")
		const lists = 3
		for range lists {
			_, err := imports.Start(t.Context(), NewImport{Body: opmlOf(2 * importBatch)})
			w.must(err)
		}
		var group sync.WaitGroup
		for n := range lists {
			_, worker := w.importer(w.open(), fmt.Sprint("worker", n))
			group.Go(func() {
				for {
					if worked, err := worker.Once(t.Context()); err != nil || !worked {
						if err != nil {
							t.Errorf("worker %d: %v", n, err)
						}
						return
					}
				}
			})
		}
		group.Wait()
		list, err := imports.List(t.Context(), kgl.Page{Limit: 9})
		w.must(err)
		added := int64(0)
		for _, i := range list.Rows {
			added += i.Added
			if i.State != kgl.ImportDone || i.Processed != i.Total || i.Added+i.Existing != i.Total {
				t.Errorf("import = %+v", i)
			}
		}
		w.want("added", added, 2*importBatch)
	})
}

func TestImportRun(t *testing.T) {
	onSQLite(t, func(t *testing.T, w *world) {
		imports, worker := w.importer(w.db, "runner")
		imports.wake = worker.Wake
		done := make(chan kgl.SourceImport, 8)
		worker.Progress = func(i kgl.SourceImport) { done <- i }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { worker.Run(ctx); close(ended) }()
		i, err := imports.Start(t.Context(), NewImport{Body: opmlOf(importBatch + 1), Tags: []string{"X"}, FileName: " a\x00b "})
		w.must(err)
		first, second := <-done, <-done
		if first.ID != i.ID || first.Processed != importBatch || second.State != kgl.ImportDone || i.FileName != "a b" || i.Tags[0] != "x" {
			t.Errorf("import %+v, then %+v, then %+v", i, first, second)
		}
		stop()
		<-ended
		w.must(imports.sources.store.Ping(t.Context()))
		w.clock.Advance(keepImports + time.Hour)
		if n, err := imports.Sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

func TestBulkEdit(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		a, b := w.add("https://a.example/"), w.add("https://b.example/")
		ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: "u"})
		twenty := make([]string, maxTags)
		for n := range twenty {
			twenty[n] = fmt.Sprint("t", n)
		}
		done, err := w.sources.Bulk(ctx, BulkSelect{IDs: []string{a.ID}}, BulkAction{AddTags: twenty}, false)
		w.must(err)
		w.want("changed", done.Changed, 1)
		done, err = w.sources.Bulk(ctx, BulkSelect{Filter: &kgl.SourceFilter{}}, BulkAction{AddTags: []string{"One more"}, Refresh: true}, false)
		w.must(err)
		if done.Matched != 2 || done.Changed != 1 || len(done.Failures) != 1 || done.Failures[0].SourceID != a.ID || done.Failures[0].Code != kgl.CodeInvalid {
			t.Errorf("a source that is full of tags: %+v", done)
		}
		w.want("tags", w.source(b.ID).Tags, "[one more]")
		same, err := w.sources.Bulk(ctx, BulkSelect{IDs: []string{b.ID}}, BulkAction{SetTags: &[]string{"one more"}}, false)
		w.must(err)
		w.want("changed by what is so already", same.Changed, 0)
		for name, edit := range map[string]func() (BulkSelect, BulkAction){
			"nothing":      func() (BulkSelect, BulkAction) { return BulkSelect{IDs: []string{a.ID}}, BulkAction{} },
			"no selection": func() (BulkSelect, BulkAction) { return BulkSelect{}, BulkAction{Refresh: true} },
			"too many": func() (BulkSelect, BulkAction) {
				return BulkSelect{IDs: make([]string, MaxBulk+1)}, BulkAction{Refresh: true}
			},
		} {
			which, what := edit()
			_, err := w.sources.Bulk(ctx, which, what, false)
			if w.wantCode(err, kgl.CodeInvalid); err == nil {
				t.Error(name)
			}
		}
	})
}
