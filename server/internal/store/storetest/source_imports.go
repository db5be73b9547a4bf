package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runSourceImports(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"sources are created together and are due", createSources},
		{"a source that exists is left out", createSourcesExisting},
		{"a former URL is known", createSourcesFormer},
		{"two who create the same sources at once make each once", createSourcesRace},
		{"tags are counted and paged", sourceTags},
		{"sources are locked and edited together", updateSources},
		{"a stale source stops an edit of several", updateSourcesRefused},
		{"sources are made due together", scheduleSources},
		{"an import comes back as it was stored", importRoundTrip},
		{"imports and lines page and filter", importPages},
		{"an import is claimed by one worker, oldest first", importClaims},
		{"outcomes are counted, and the last ends the import", importFinish},
		{"a lost lease stores nothing", importLeaseLost},
		{"a canceled import is given up", importCancel},
		{"old imports go, open ones stay", importSweep},
	})
}

func createSources(t *testing.T, db *store.DB) {
	a, b, c := newSource(1, "a.example.org", at(time.Hour)), newSource(2, "b.example.org", at(2*time.Hour)), newSource(3, "b.example.org", at(time.Minute))
	a.Tags, a.SiteURL, a.TitleIsManual, a.FetchInterval = []string{"x", "ü"}, "https://a.example.org/", true, time.Hour
	a.Settings = kgl.SourceSettings{MaxItems: 7, HeaderNames: []string{"X-Key"}}
	a.Secrets = "sealed"
	if ids := got(db.CreateSources(ctx(t), []kgl.Source{b, a, c}))(t); !slices.Equal(ids, []string{b.ID, a.ID, c.ID}) {
		t.Errorf("created %v", ids)
	}
	for _, want := range []kgl.Source{a, b, c} {
		same(t, got(db.Source(ctx(t), want.ID))(t), want)
	}
	wantNextDue(t, db, at(time.Minute))
	leases := claim(t, db, after(time.Hour))
	if len(leases) != 2 {
		t.Errorf("%d hosts are due, want 2", len(leases))
	}
	if ids := got(db.CreateSources(ctx(t), nil))(t); len(ids) != 0 {
		t.Errorf("created %v of nothing", ids)
	}
}

func createSourcesExisting(t *testing.T, db *store.DB) {
	old := addSource(t, db, 1, "a.example.org", nil)
	again, fresh := newSource(2, "a.example.org", nil), newSource(3, "a.example.org", nil)
	again.URLKey = old.URLKey
	twin := newSource(4, "a.example.org", nil)
	twin.URLKey = fresh.URLKey
	ids := got(db.CreateSources(ctx(t), []kgl.Source{again, fresh, twin}))(t)
	if len(ids) != 1 || ids[0] == again.ID {
		t.Errorf("created %v, want one of the twins", ids)
	}
	known := got(db.SourceIDsByURLKeys(ctx(t), []string{old.URLKey, fresh.URLKey, "https://unknown.example/"}))(t)
	if len(known) != 2 || known[old.URLKey] != old.ID || known[fresh.URLKey] != ids[0] {
		t.Errorf("known = %v", known)
	}
	if none := got(db.SourceIDsByURLKeys(ctx(t), nil))(t); len(none) != 0 {
		t.Errorf("known of nothing = %v", none)
	}
}

func createSourcesFormer(t *testing.T, db *store.DB) {
	s, now := moved(t, db, moveTo("b.example", "new"))
	again, fresh := newSource(7, "a.example", nil), newSource(8, "a.example", nil)
	again.URLKey = s.URLKey
	if ids := got(db.CreateSources(ctx(t), []kgl.Source{again, fresh}))(t); !slices.Equal(ids, []string{fresh.ID}) {
		t.Errorf("created %v, want all but what moved", ids)
	}
	known := got(db.SourceIDsByURLKeys(ctx(t), []string{s.URLKey, now.URLKey}))(t)
	if len(known) != 2 || known[s.URLKey] != s.ID || known[now.URLKey] != s.ID {
		t.Errorf("known = %v", known)
	}
}

func createSourcesRace(t *testing.T, db *store.DB) {
	const lists, each = 4, 40
	var group sync.WaitGroup
	created := make([]int, lists)
	for l := range lists {
		group.Go(func() {
			var ss []kgl.Source
			for n := range each {
				s := newSource(1000*l+n, fmt.Sprintf("h%d.example.org", n%7), at(0))
				s.URLKey = fmt.Sprintf("https://shared.example/%d", n)
				ss = append(ss, s)
			}
			if l%2 == 1 {
				slices.Reverse(ss)
			}
			created[l] = len(got(db.CreateSources(ctx(t), ss))(t))
		})
	}
	group.Wait()
	sum := 0
	for _, n := range created {
		sum += n
	}
	if sum != each {
		t.Errorf("%d sources were created, want %d", sum, each)
	}
}

func sourceTags(t *testing.T, db *store.DB) {
	for n, tags := range [][]string{{"b", "a"}, {"b"}, {}, {"ü", "b"}, {"B2"}} {
		s := newSource(n+1, "a.example.org", nil)
		s.Tags = tags
		must(t, db.CreateSource(ctx(t), s))
	}
	var list []string
	var page kgl.Page
	for page = (kgl.Page{Limit: 2}); ; {
		l := got(db.SourceTags(ctx(t), page))(t)
		for _, row := range l.Rows {
			list = append(list, fmt.Sprint(row.Tag, row.Count))
		}
		if page.After = l.Next; page.After == nil {
			break
		}
	}
	if want := []string{"B21", "a1", "b3", "ü1"}; !slices.Equal(list, want) {
		t.Errorf("tags = %q, want %q", list, want)
	}
}

func updateSources(t *testing.T, db *store.DB) {
	a := addSource(t, db, 1, "a.example.org", at(time.Hour))
	b := addSource(t, db, 2, "b.example.org", at(time.Hour))
	addSource(t, db, 3, "b.example.org", at(2*time.Hour))
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		list, err := tx.LockSources(ctx, []string{b.ID, id(99), a.ID, b.ID})
		if err != nil {
			return err
		}
		if len(list) != 2 || list[0].ID != a.ID || list[1].ID != b.ID {
			t.Errorf("locked = %+v", list)
		}
		for i := range list {
			list[i].Tags, list[i].UpdatedAt = []string{"new"}, after(time.Minute)
			list[i].Settings.MaxItems = 5
		}
		list[1].Status, list[1].NextFetchAt = kgl.SourcePaused, nil
		return tx.UpdateSources(ctx, list)
	}))
	for _, s := range []kgl.Source{a, b} {
		stored := got(db.Source(ctx(t), s.ID))(t)
		if stored.Version != 2 || stored.Tags[0] != "new" || stored.Settings.MaxItems != 5 || !stored.UpdatedAt.Equal(after(time.Minute)) {
			t.Errorf("stored = %+v", stored)
		}
	}
	wantNextDue(t, db, at(time.Hour))
	if leases := claim(t, db, after(90*time.Minute)); len(leases) != 1 || leases[0].Host != "a.example.org" {
		t.Errorf("due hosts = %+v, want that of the source that is not paused", leases)
	}
	must(t, db.UpdateSources(ctx(t), nil))
}

func updateSourcesRefused(t *testing.T, db *store.DB) {
	a, b := addSource(t, db, 1, "a.example.org", nil), addSource(t, db, 2, "a.example.org", nil)
	a.Title, b.Title = "New", "New"
	b.Version = 7
	wantCode(t, db.UpdateSources(ctx(t), []kgl.Source{a, b}), kgl.CodePreconditionFailed)
	b.Version, b.ID = 1, id(99)
	wantCode(t, db.UpdateSources(ctx(t), []kgl.Source{a, b}), kgl.CodeNotFound)
	moved := a
	moved.URL, moved.URLKey = "https://else.example/", "https://else.example/"
	wantCode(t, db.UpdateSources(ctx(t), []kgl.Source{moved}), kgl.CodeInvalid)
	if stored := got(db.Source(ctx(t), a.ID))(t); stored.Title == "New" || stored.Version != 1 {
		t.Errorf("a part of a refused edit was stored: %+v", stored)
	}
}

func scheduleSources(t *testing.T, db *store.DB) {
	a := addSource(t, db, 1, "a.example.org", at(time.Hour))
	waits := addSource(t, db, 2, "b.example.org", at(-time.Hour))
	paused := newSource(3, "c.example.org", nil)
	paused.Status = kgl.SourcePaused
	must(t, db.CreateSource(ctx(t), paused))
	gone := newSource(4, "d.example.org", nil)
	gone.Status = kgl.SourceGone
	must(t, db.CreateSource(ctx(t), gone))
	must(t, db.ScheduleSources(ctx(t), []string{paused.ID, a.ID, waits.ID, id(99), a.ID, gone.ID}, epoch))
	for _, want := range []struct {
		id   string
		next *time.Time
	}{{a.ID, at(0)}, {waits.ID, at(-time.Hour)}, {paused.ID, nil}, {gone.ID, at(0)}} {
		stored := got(db.Source(ctx(t), want.id))(t)
		if (stored.NextFetchAt == nil) != (want.next == nil) || want.next != nil && !stored.NextFetchAt.Equal(*want.next) || stored.Version != 1 {
			t.Errorf("%s is due at %v, want %v", want.id, stored.NextFetchAt, want.next)
		}
	}
	if leases := claim(t, db, epoch); len(leases) != 3 {
		t.Errorf("%d hosts are due, want 3", len(leases))
	}
}

func newImport(n int) kgl.SourceImport {
	return kgl.SourceImport{ID: id(n), State: kgl.ImportPending, Tags: []string{}, CreatedAt: second(n)}
}

// addImport stores an import with pending lines.
func addImport(t *testing.T, db *store.DB, n, lines int) kgl.SourceImport {
	t.Helper()
	i := newImport(n)
	i.Total = int64(lines)
	list := make([]kgl.ImportLine, lines)
	for at := range list {
		list[at] = kgl.ImportLine{
			Position: int64(at + 1), Line: int64(at/2 + 3), URL: fmt.Sprintf("https://f%d.example/", at), Tags: []string{}, Outcome: kgl.LinePending,
		}
	}
	must(t, db.CreateSourceImport(ctx(t), i, list))
	return i
}

func claimImport(t *testing.T, db *store.DB, owner string, now time.Time) (*kgl.SourceImport, kgl.ImportLease) {
	t.Helper()
	i, lease, err := db.ClaimSourceImport(ctx(t), owner, now, now.Add(time.Minute))
	must(t, err)
	return i, lease
}

func importRoundTrip(t *testing.T, db *store.DB) {
	i := kgl.SourceImport{
		ID: id(1), State: kgl.ImportDone, FileName: "my \"feeds\".opml", Tags: []string{"a", "ü"}, DryRun: true, Total: 2, Processed: 2, Added: 1, Failed: 1,
		CreatedBy: id(9), CreatedAt: epoch, StartedAt: at(time.Second), FinishedAt: at(time.Minute),
	}
	lines := []kgl.ImportLine{
		{Position: 1, Line: 4, URL: "https://a.example/", Title: "Ünï", SiteURL: "https://a.example/site", Tags: []string{"x"}, Outcome: kgl.LineAdded, SourceID: id(5)},
		{Position: 2, Line: 4, Tags: []string{}, Outcome: kgl.LineFailed, ErrorCode: "invalid_request", Message: "no URL"},
	}
	must(t, db.CreateSourceImport(ctx(t), i, lines))
	same(t, got(db.SourceImport(ctx(t), i.ID))(t), i)
	same(t, got(db.ImportLines(ctx(t), i.ID, nil, kgl.Page{Limit: 10}))(t).Rows, lines)
	_, err := db.SourceImport(ctx(t), id(2))
	wantCode(t, err, kgl.CodeNotFound)
	if l := got(db.ImportLines(ctx(t), id(2), nil, kgl.Page{Limit: 10}))(t); len(l.Rows) != 0 || l.Next != nil {
		t.Errorf("lines of an unknown import: %+v", l)
	}
	empty := newImport(3)
	must(t, db.CreateSourceImport(ctx(t), empty, nil))
	same(t, got(db.SourceImport(ctx(t), empty.ID))(t), empty)
}

func importPages(t *testing.T, db *store.DB) {
	for n := range 5 {
		addImport(t, db, n+1, 0)
	}
	var ids []string
	for page := (kgl.Page{Limit: 2}); ; {
		l := got(db.SourceImports(ctx(t), page))(t)
		for _, i := range l.Rows {
			ids = append(ids, i.ID)
		}
		if page.After = l.Next; page.After == nil {
			break
		}
	}
	if want := []string{id(5), id(4), id(3), id(2), id(1)}; !slices.Equal(ids, want) {
		t.Errorf("imports = %v, want %v", ids, want)
	}
	i := addImport(t, db, 9, 5)
	_, lease := claimImport(t, db, "w", after(time.Hour))
	for lease.ImportID != i.ID { // the empty ones are older
		_, lease = claimImport(t, db, "w", after(time.Hour))
	}
	pending := got(db.PendingImportLines(ctx(t), i.ID, 3))(t)
	pending[1].Outcome = kgl.LineFailed
	pending[2].Outcome = kgl.LineExisting
	got(db.FinishImportLines(ctx(t), lease, pending[1:3], epoch))(t)
	for want, outcomes := range map[string][]kgl.LineOutcome{
		"[1 4 5]": {kgl.LinePending}, "[2 3]": {kgl.LineFailed, kgl.LineExisting}, "[1 2 3 4 5]": nil, "[]": {kgl.LineAdded},
	} {
		positions := []int64{}
		for page := (kgl.Page{Limit: 2}); ; {
			l := got(db.ImportLines(ctx(t), i.ID, outcomes, page))(t)
			for _, line := range l.Rows {
				positions = append(positions, line.Position)
			}
			if page.After = l.Next; page.After == nil {
				break
			}
		}
		if fmt.Sprint(positions) != want {
			t.Errorf("lines that are %v: %v, want %s", outcomes, positions, want)
		}
	}
}

func importClaims(t *testing.T, db *store.DB) {
	if i, _ := claimImport(t, db, "w", epoch); i != nil {
		t.Fatalf("claimed %+v of nothing", i)
	}
	if next := got(db.NextSourceImportAt(ctx(t)))(t); next != nil {
		t.Fatalf("the next import is at %v", next)
	}
	older, newer := addImport(t, db, 1, 1), addImport(t, db, 2, 1)
	if next := got(db.NextSourceImportAt(ctx(t)))(t); next == nil || next.After(epoch) {
		t.Fatalf("the next import is at %v, want now", next)
	}
	var group sync.WaitGroup
	claimed := make([]string, 4)
	for n := range claimed {
		group.Go(func() {
			if i, _ := claimImport(t, db, fmt.Sprint("w", n), epoch); i != nil {
				claimed[n] = i.ID
			}
		})
	}
	group.Wait()
	slices.Sort(claimed)
	if want := []string{"", "", older.ID, newer.ID}; !slices.Equal(claimed, want) {
		t.Errorf("claimed %q, want %q", claimed, want)
	}
	if next := got(db.NextSourceImportAt(ctx(t)))(t); next == nil || !next.Equal(after(time.Minute)) {
		t.Errorf("the next import is at %v, want the end of the leases", next)
	}
	i, lease := claimImport(t, db, "heir", after(time.Minute))
	if i == nil || i.ID != older.ID || i.State != kgl.ImportRunning || i.StartedAt == nil || !i.StartedAt.Equal(epoch) || lease.Token != 2 {
		t.Errorf("after the lease: %+v, %+v", i, lease)
	}
	must(t, db.ReleaseSourceImport(ctx(t), lease))
	if i, _ := claimImport(t, db, "next", after(time.Minute)); i == nil || i.ID != older.ID {
		t.Errorf("after the release: %+v", i)
	}
	must(t, db.ReleaseSourceImport(ctx(t), lease))
}

func importFinish(t *testing.T, db *store.DB) {
	i := addImport(t, db, 1, 4)
	_, lease := claimImport(t, db, "w", epoch)
	lines := got(db.PendingImportLines(ctx(t), i.ID, 3))(t)
	lines[0].Outcome, lines[0].SourceID = kgl.LineAdded, id(50)
	lines[1].Outcome, lines[1].Message = kgl.LineExisting, "known"
	lines[2].Outcome, lines[2].ErrorCode = kgl.LineFailed, "invalid_request"
	lease.Until = after(5 * time.Minute)
	after1 := got(db.FinishImportLines(ctx(t), lease, lines, after(time.Second)))(t)
	if after1.State != kgl.ImportRunning || after1.Processed != 3 || after1.Added != 1 || after1.Existing != 1 || after1.Failed != 1 || after1.FinishedAt != nil {
		t.Errorf("after three lines: %+v", after1)
	}
	if j, _ := claimImport(t, db, "other", after(2*time.Minute)); j != nil {
		t.Errorf("claimed within a lease that was prolonged: %+v", j)
	}
	same(t, got(db.ImportLines(ctx(t), i.ID, nil, kgl.Page{Limit: 3}))(t).Rows, lines)
	last := got(db.PendingImportLines(ctx(t), i.ID, 3))(t)
	if len(last) != 1 || last[0].Position != 4 {
		t.Fatalf("pending = %+v", last)
	}
	last[0].Outcome = kgl.LineAdded
	done := got(db.FinishImportLines(ctx(t), lease, last, after(time.Minute)))(t)
	if done.State != kgl.ImportDone || done.Processed != 4 || done.FinishedAt == nil || !done.FinishedAt.Equal(after(time.Minute)) {
		t.Errorf("after all lines: %+v", done)
	}
	if j, _ := claimImport(t, db, "other", after(time.Hour)); j != nil {
		t.Errorf("claimed an import that is done: %+v", j)
	}
}

func importLeaseLost(t *testing.T, db *store.DB) {
	i := addImport(t, db, 1, 2)
	_, lost := claimImport(t, db, "w", epoch)
	_, lease := claimImport(t, db, "w", after(time.Minute))
	lines := got(db.PendingImportLines(ctx(t), i.ID, 1))(t)
	lines[0].Outcome = kgl.LineAdded
	_, err := db.FinishImportLines(ctx(t), lost, lines, epoch)
	wantCode(t, err, kgl.CodeLeaseLost)
	if pending := got(db.PendingImportLines(ctx(t), i.ID, 9))(t); len(pending) != 2 {
		t.Errorf("%d lines are pending, want 2: a lost lease stored an outcome", len(pending))
	}
	if now := got(db.FinishImportLines(ctx(t), lease, lines, epoch))(t); now.Processed != 1 {
		t.Errorf("with the lease: %+v", now)
	}
}

func importCancel(t *testing.T, db *store.DB) {
	wantCode(t, db.CancelSourceImport(ctx(t), id(1), epoch), kgl.CodeNotFound)
	i := addImport(t, db, 1, 2)
	_, lease := claimImport(t, db, "w", epoch)
	must(t, db.CancelSourceImport(ctx(t), i.ID, after(time.Second)))
	lines := got(db.PendingImportLines(ctx(t), i.ID, 1))(t)
	lines[0].Outcome = kgl.LineAdded
	_, err := db.FinishImportLines(ctx(t), lease, lines, epoch)
	wantCode(t, err, kgl.CodeLeaseLost)
	if now := got(db.SourceImport(ctx(t), i.ID))(t); now.State != kgl.ImportCanceled || now.Processed != 0 || now.FinishedAt == nil {
		t.Errorf("canceled: %+v", now)
	}
	wantCode(t, db.CancelSourceImport(ctx(t), i.ID, epoch), kgl.CodeConflict)
	if j, _ := claimImport(t, db, "w", after(time.Hour)); j != nil {
		t.Errorf("claimed an import that was canceled: %+v", j)
	}
}

func importSweep(t *testing.T, db *store.DB) {
	open := addImport(t, db, 1, 1)
	for n := 2; n <= 5; n++ {
		i := addImport(t, db, n, 3)
		must(t, db.CancelSourceImport(ctx(t), i.ID, epoch))
	}
	if n := got(db.DeleteSourceImports(ctx(t), second(5), 2))(t); n != 2 {
		t.Errorf("removed %d, want 2", n)
	}
	if n := got(db.DeleteSourceImports(ctx(t), second(5), 2))(t); n != 1 {
		t.Errorf("removed %d, want 1", n)
	}
	var left []string
	for _, i := range got(db.SourceImports(ctx(t), kgl.Page{Limit: 9}))(t).Rows {
		left = append(left, i.ID)
	}
	if want := []string{id(5), open.ID}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	if l := got(db.ImportLines(ctx(t), id(2), nil, kgl.Page{Limit: 9}))(t); len(l.Rows) != 0 {
		t.Errorf("lines outlived their import: %+v", l)
	}
}
