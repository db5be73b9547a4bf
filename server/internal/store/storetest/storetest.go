// Package storetest is the conformance suite of kgl.Store: what its comments
// promise, tested in the same words on both engines.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

// Open returns an empty, migrated database of its own to a test, and closes it
// with the test.
type Open func(t *testing.T) *store.DB

// Run runs the whole suite on databases from open.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name string
		run  func(t *testing.T, open Open)
	}{
		{"Transactions", runTransactions},
		{"Settings", runSettings},
		{"Sources", runSources},
		{"SourceImports", runSourceImports},
		{"Hosts", runHosts},
		{"Domains", runDomains},
		{"SourceAliases", runSourceAliases},
		{"Contents", runContents},
		{"Identity", runIdentity},
		{"Retention", runRetention},
		{"Duplicates", runDuplicates},
		{"NearDuplicates", runNear},
		{"Tasks", runTasks},
		{"Events", runEvents},
		{"Users", runUsers},
		{"Sessions", runSessions},
		{"Throttles", runThrottles},
		{"SigningKeys", runSigningKeys},
		{"Audit", runAudit},
		{"Idempotency", runIdempotency},
		{"Entities", runEntities},
		{"EntityNames", runEntityNames},
		{"EntityMatches", runEntityMatches},
		{"EntityMentions", runEntityMentions},
		{"Mentions", runMentions},
		{"Relationships", runRelationships},
		{"Merges", runMerges},
		{"Graph", runGraph},
		{"Extractions", runExtractions},
		{"Runs", runRuns},
		{"Consents", runConsents},
		{"ExtractionRequests", runExtractionRequests},
		{"Purge", runPurge},
		{"Dashboard", runDashboard},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, open) })
	}
}

// test is one named test of a group.
type test struct {
	name string
	run  func(t *testing.T, db *store.DB)
}

// runEach runs each test on a database of its own.
func runEach(t *testing.T, open Open, tests []test) {
	t.Helper()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
	}
}

// epoch is the time at which the tests' world begins.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// after returns the time d after the epoch.
func after(d time.Duration) time.Time { return epoch.Add(d) }

// at returns a pointer to the time d after the epoch.
func at(d time.Duration) *time.Time {
	t := after(d)
	return &t
}

// id returns a UUIDv7 that is the same in every run: ids of a greater number
// sort later.
func id(n int) string { return fmt.Sprintf("019cb000-0000-7000-8000-%012d", n) }

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// got returns v and fails the test on an error.
func got[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// wantCode fails the test unless err has the code.
func wantCode(t *testing.T, err error, code kgl.Code) {
	t.Helper()
	if c := kgl.ErrorCode(err); c != code {
		t.Fatalf("error %v has the code %q, want %q", err, c, code)
	}
}

// pages reads a list to its end in pages of the given size, checks that no
// page is larger or empty without need, and returns all rows.
func pages[T any](t *testing.T, limit int, list func(p kgl.Page) (kgl.List[T], error)) []T {
	t.Helper()
	var all []T
	p := kgl.Page{Limit: limit}
	for range 10_000 {
		l, err := list(p)
		must(t, err)
		if len(l.Rows) > limit {
			t.Fatalf("a page of %d rows, limit %d", len(l.Rows), limit)
		}
		all = append(all, l.Rows...)
		if l.Next == nil {
			return all
		}
		if len(l.Rows) != limit {
			t.Fatalf("a page of %d rows says that more follow, limit %d", len(l.Rows), limit)
		}
		p.After = l.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// parallel calls f n times at once, with the numbers from 0, and returns the
// errors by number.
func parallel(n int, f func(i int) error) []error {
	start, done := make(chan struct{}), make(chan struct{})
	errs := make([]error, n)
	for i := range n {
		go func() {
			<-start
			errs[i] = f(i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return errs
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}
