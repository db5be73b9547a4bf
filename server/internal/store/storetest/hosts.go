package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// ctxT shortens signatures of closures.
type ctxT = context.Context

func inTx(t *testing.T, db *store.DB, fn func(c ctxT, tx kgl.Store) error) error {
	t.Helper()
	return db.InTx(ctx(t), fn)
}

func runHosts(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"hosts with a due source are claimed, most overdue first", claimOrder},
		{"paused, gone and unscheduled sources make no host due", claimNothing},
		{"a leased host is claimed again when its lease ended, under a newer token", claimAgain},
		{"concurrent callers never get the same host", claimRace},
		{"a claim that is rolled back is none", claimRolledBack},
		{"a lease is extended by its owner only", extendHost},
		{"due sources come most overdue first", dueSources},
		{"a released host is due when its next source is", releaseHost},
		{"a released host is left alone until notBefore", releaseNotBefore},
		{"releasing a lost lease does nothing", releaseLost},
		{"the next due host is known, leased or not", nextDue},
		{"hosts stay due under concurrent writes of their sources", dueUnderConcurrency},
		{"a finished fetch is stored", finishFetch},
		{"a failed fetch is stored", finishFailed},
		{"a fetch without document keeps the metadata", finishNotModified},
		{"a manual title stays", finishManualTitle},
		{"the version changes with what the source shows", finishVersion},
		{"a source that is gone and scheduled is claimed", claimGone},
		{"the oldest fetches are dropped", finishKeep},
		{"a lost lease refuses the result", finishLeaseLost},
		{"a deleted source refuses the result", finishDeleted},
		{"a source that was paused meanwhile stays paused", finishPaused},
		{"a source whose URL was edited meanwhile takes only the history", finishEdited},
		{"a source that was made due while its fetch ran stays due", finishRequested},
		{"a fetch that found nothing new", finishPlain},
		{"a fetch that found nothing new gives the host back", finishPlainReleases},
		{"fetches that found nothing new are dropped", finishPlainKeep},
		{"a source was changed while its fetch found nothing new", finishPlainMeanwhile},
		{"a fetch that found nothing new ends a failure", finishPlainRecovers},
		{"a fetch that found nothing new of a lost host or source", finishPlainLost},
	})
}

func claimOrder(t *testing.T, db *store.DB) {
	addSource(t, db, 1, "late.example", at(3*time.Minute))
	addSource(t, db, 2, "early.example", at(time.Minute))
	addSource(t, db, 3, "early.example", at(time.Hour))
	addSource(t, db, 4, "middle.example", at(2*time.Minute))
	addSource(t, db, 5, "future.example", at(4*time.Minute))
	if ls := got(db.ClaimHosts(ctx(t), "w", after(30*time.Second), after(time.Hour), 10))(t); len(ls) != 0 {
		t.Fatalf("claimed before due: %v", ls)
	}
	now, until := after(3*time.Minute), after(10*time.Minute)
	first := got(db.ClaimHosts(ctx(t), "w", now, until, 2))(t)
	same(t, first, []kgl.HostLease{
		{Host: "early.example", Owner: "w", Token: 1, Until: until}, {Host: "middle.example", Owner: "w", Token: 1, Until: until},
	})
	second := got(db.ClaimHosts(ctx(t), "v", now, until, 2))(t)
	same(t, second, []kgl.HostLease{{Host: "late.example", Owner: "v", Token: 1, Until: until}})
}

func claimNothing(t *testing.T, db *store.DB) {
	for i, status := range []kgl.SourceStatus{kgl.SourcePaused, kgl.SourceGone, kgl.SourceActive} {
		s := newSource(i, fmt.Sprintf("h%d.example", i), at(0))
		s.Status = status
		if status != kgl.SourcePaused {
			s.NextFetchAt = nil
		}
		must(t, db.CreateSource(ctx(t), s))
	}
	if ls := claim(t, db, after(time.Hour)); len(ls) != 0 {
		t.Fatalf("claimed %v", ls)
	}
	wantNextDue(t, db, nil)
}

// A dead source is looked after from time to time.
func claimGone(t *testing.T, db *store.DB) {
	s := newSource(1, "a.example", at(time.Hour))
	s.Status = kgl.SourceGone
	must(t, db.CreateSource(ctx(t), s))
	wantNextDue(t, db, at(time.Hour))
	l := claim(t, db, after(time.Hour))[0]
	same(t, idsOf(got(db.DueSources(ctx(t), "a.example", after(time.Hour), 10))(t), sourceID), []string{id(1)})
	must(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, after(time.Hour)), 10))
	if have := got(db.Source(ctx(t), s.ID))(t); have.Status != kgl.SourceActive {
		t.Fatalf("it came back and is %s", have.Status)
	}
	wantCode(t, db.RequestFetch(ctx(t), id(99), epoch), kgl.CodeNotFound)
}

func claimAgain(t *testing.T, db *store.DB) {
	addSource(t, db, 1, "a.example", at(0))
	first := got(db.ClaimHosts(ctx(t), "w", epoch, after(time.Minute), 1))(t)[0]
	if ls := got(db.ClaimHosts(ctx(t), "v", after(59*time.Second), after(time.Hour), 1))(t); len(ls) != 0 {
		t.Fatalf("claimed while leased: %v", ls)
	}
	again := got(db.ClaimHosts(ctx(t), "v", after(time.Minute), after(time.Hour), 1))(t)[0]
	if again.Token <= first.Token {
		t.Fatalf("token %d after %d", again.Token, first.Token)
	}
	wantCode(t, db.ExtendHost(ctx(t), first, after(time.Hour)), kgl.CodeLeaseLost)
	must(t, db.ExtendHost(ctx(t), again, after(2*time.Hour)))
}

func claimRace(t *testing.T, db *store.DB) {
	const hosts, workers = 20, 5
	for i := range hosts {
		addSource(t, db, i, fmt.Sprintf("h%02d.example", i), at(0))
	}
	claimed := make([][]kgl.HostLease, workers)
	for _, err := range parallel(workers, func(i int) error {
		for range hosts {
			ls, err := db.ClaimHosts(ctx(t), fmt.Sprint("w", i), epoch, after(time.Hour), 3)
			if err != nil || len(ls) == 0 {
				return err
			}
			if len(ls) > 3 {
				t.Errorf("claimed %d hosts, limit 3", len(ls))
			}
			claimed[i] = append(claimed[i], ls...)
		}
		return nil
	}) {
		must(t, err)
	}
	seen := map[string]bool{}
	for _, ls := range claimed {
		for _, l := range ls {
			if seen[l.Host] {
				t.Fatalf("%s was claimed twice", l.Host)
			}
			seen[l.Host] = true
		}
	}
	for _, l := range claim(t, db, epoch) { // passed over by everyone at once
		seen[l.Host] = true
	}
	if len(seen) != hosts {
		t.Fatalf("%d of %d hosts were claimed", len(seen), hosts)
	}
}

func claimRolledBack(t *testing.T, db *store.DB) {
	addSource(t, db, 1, "a.example", at(0))
	err := inTx(t, db, func(c ctxT, tx kgl.Store) error {
		if ls := got(tx.ClaimHosts(c, "w", epoch, after(time.Hour), 1))(t); len(ls) != 1 {
			t.Fatalf("claimed %v", ls)
		}
		return kgl.Errorf(kgl.CodeInternal, "no")
	})
	wantCode(t, err, kgl.CodeInternal)
	if ls := claim(t, db, epoch); len(ls) != 1 || ls[0].Token != 1 {
		t.Fatalf("after the rollback: %v", ls)
	}
}

func extendHost(t *testing.T, db *store.DB) {
	addSource(t, db, 1, "a.example", at(0))
	l := claim(t, db, epoch)[0]
	must(t, db.ExtendHost(ctx(t), l, after(time.Hour)))
	if ls := claim(t, db, after(59*time.Minute)); len(ls) != 0 {
		t.Fatal("the extension had no effect")
	}
	other := l
	other.Owner = "thief"
	wantCode(t, db.ExtendHost(ctx(t), other, after(time.Hour)), kgl.CodeLeaseLost)
	must(t, db.ReleaseHost(ctx(t), l, epoch))
	wantCode(t, db.ExtendHost(ctx(t), l, after(time.Hour)), kgl.CodeLeaseLost)
}

func dueSources(t *testing.T, db *store.DB) {
	addSource(t, db, 1, "a.example", at(2*time.Minute))
	addSource(t, db, 2, "a.example", at(time.Minute))
	addSource(t, db, 3, "a.example", at(time.Hour))
	addSource(t, db, 4, "b.example", at(0))
	paused := newSource(5, "a.example", at(0))
	paused.Status = kgl.SourcePaused
	must(t, db.CreateSource(ctx(t), paused))
	same(t, idsOf(got(db.DueSources(ctx(t), "a.example", after(2*time.Minute), 10))(t), sourceID), []string{id(2), id(1)})
	same(t, idsOf(got(db.DueSources(ctx(t), "a.example", after(2*time.Hour), 2))(t), sourceID), []string{id(2), id(1)})
	same(t, idsOf(got(db.DueSources(ctx(t), "nowhere.example", after(2*time.Hour), 2))(t), sourceID), []string{})
}

func releaseHost(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", at(0))
	l := claim(t, db, epoch)[0]
	must(t, db.FinishFetch(ctx(t), l, fetchResult(1, s, epoch), 10)) // due again after an hour
	must(t, db.ReleaseHost(ctx(t), l, after(time.Minute)))
	wantNextDue(t, db, at(time.Hour))
	if ls := claim(t, db, after(59*time.Minute)); len(ls) != 0 {
		t.Fatalf("claimed before due: %v", ls)
	}
	if ls := claim(t, db, after(time.Hour)); len(ls) != 1 {
		t.Fatal("not claimed when due")
	}
}

func releaseNotBefore(t *testing.T, db *store.DB) {
	s := addSource(t, db, 1, "a.example", at(0))
	l := claim(t, db, epoch)[0]
	must(t, db.ReleaseHost(ctx(t), l, after(time.Hour)))
	wantNextDue(t, db, at(time.Hour))
	must(t, db.RequestFetch(ctx(t), s.ID, after(time.Minute)))
	if ls := claim(t, db, after(59*time.Minute)); len(ls) != 0 {
		t.Fatal("a request overruled the pause of the host")
	}
	if ls := claim(t, db, after(time.Hour)); len(ls) != 1 {
		t.Fatal("not claimed after the pause")
	}
}

func releaseLost(t *testing.T, db *store.DB) {
	addSource(t, db, 1, "a.example", at(0))
	lost := claim(t, db, epoch)[0]
	newer := claim(t, db, after(time.Minute))[0]
	must(t, db.ReleaseHost(ctx(t), lost, after(time.Hour)))
	must(t, db.ReleaseHost(ctx(t), kgl.HostLease{Host: "nowhere.example", Owner: "w", Token: 1}, epoch))
	must(t, db.ExtendHost(ctx(t), newer, after(time.Hour)))
}

func nextDue(t *testing.T, db *store.DB) {
	wantNextDue(t, db, nil)
	addSource(t, db, 1, "a.example", at(time.Minute))
	addSource(t, db, 2, "b.example", at(time.Hour))
	wantNextDue(t, db, at(time.Minute))
	got(db.ClaimHosts(ctx(t), "w", after(time.Minute), after(30*time.Minute), 1))(t)
	wantNextDue(t, db, at(30*time.Minute)) // when the lease ends
	got(db.ClaimHosts(ctx(t), "w", after(30*time.Minute), after(2*time.Hour), 1))(t)
	wantNextDue(t, db, at(time.Hour))
}

// dueUnderConcurrency changes many sources of one host at once: the host must
// be due when the first of them is, whoever computed it last.
func dueUnderConcurrency(t *testing.T, db *store.DB) {
	const n = 8
	for i := range n {
		addSource(t, db, i, "a.example", at(time.Hour))
	}
	for _, err := range parallel(n, func(i int) error {
		return db.RequestFetch(ctx(t), id(i), after(time.Duration(i+1)*time.Minute))
	}) {
		must(t, err)
	}
	wantNextDue(t, db, at(time.Minute))
}
