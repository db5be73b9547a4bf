package transfer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/store/transfer"
)

var errBrokenOff = errors.New("broken off")

// breakOff returns a fault at the n-th step that begins so.
func breakOff(step string, n int) func(string) error {
	return func(s string) error {
		if strings.HasPrefix(s, step) {
			if n--; n == 0 {
				return errBrokenOff
			}
		}
		return nil
	}
}

// notes collects what a copy tells the operator.
func notes(opts transfer.Options, into *[]string) transfer.Options {
	opts.Note = func(text string) { *into = append(*into, text) }
	return opts
}

func none(string) error { return nil }

// TestResume breaks a copy off again and again on its way. Until it is complete
// the target is not served, also not after somebody has tried to, and in the end
// it equals the source.
func TestResume(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		source, target := newFull(t, from), newURL(t, to)
		want := dump(t, source)
		opts := transfer.Options{From: source, To: target}
		for _, at := range []struct {
			step  string
			n     int
			fresh bool // nothing is gone on with
		}{
			{"recreate", 1, true}, {"recreate", 1, true}, {"strip", 1, true}, {"batch", 1, true}, {"batch contents", 3, false}, {"load events", 1, false},
			{"batch", 2, false}, {"index", 1, false}, {"index", 7, false}, {"verify", 1, false}, {"finish", 1, false},
		} {
			var told []string
			_, err := transfer.Run(t.Context(), notes(opts.WithFault(2, breakOff(at.step, at.n)), &told))
			if !errors.Is(err, errBrokenOff) {
				t.Fatalf("%s %d: %v", at.step, at.n, err)
			}
			if resumed := slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, "going on") }); at.step != "batch" && resumed == at.fresh {
				t.Errorf("%s %d: told %q", at.step, at.n, told)
			}
			if err := check(t, target); err == nil || !strings.Contains(err.Error(), "kgl db copy") {
				t.Fatalf("%s %d: a half copied database would be served: %v", at.step, at.n, err)
			}
			noError(t, migrateUp(t.Context(), target)) // as a server does before it looks
		}
		if report := move(t, opts); report.Resumed != report.Rows() {
			t.Errorf("%d of %d rows were resumed", report.Resumed, report.Rows())
		}
		noError(t, check(t, target))
		wantSame(t, dump(t, target), want)
		if have, fresh := schemaOf(t, target), schemaOf(t, newMigrated(t, to)); !slices.Equal(have, fresh) {
			t.Errorf("the schema of the copy is\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(fresh, "\n"))
		}
	})
}

// TestSourceChangedBetween changes the source between two runs.
func TestSourceChangedBetween(t *testing.T) {
	crossings(t, func(t *testing.T, from, to string) {
		for _, tt := range []struct {
			name, statement, want string
		}{
			{"a copied row", "UPDATE contents SET title = 'new' WHERE id LIKE 'contents-0%'", "starting over: since the earlier run the source has changed in contents"},
			{"a copied row is gone", "DELETE FROM settings WHERE key LIKE 'settings-1%'", "starting over: since the earlier run the source has changed in settings"},
			{"a row between copied ones", "INSERT INTO settings VALUES ('settings-1 f', '', 0)", "starting over: since the earlier run the source has changed in settings"},
			{"a row that was still to come", "UPDATE contents SET title = 'new' WHERE id LIKE 'contents-4%'", "going on with an earlier run"},
			{"a row behind the last", "INSERT INTO settings VALUES ('z', '', 0)", "going on with an earlier run"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				source, target := newFull(t, from), newURL(t, to)
				opts := transfer.Options{From: source, To: target}
				if _, err := transfer.Run(t.Context(), opts.WithFault(2, breakOff("batch contents", 2))); !errors.Is(err, errBrokenOff) {
					t.Fatal(err)
				}
				execute(t, source, tt.statement)
				var told []string
				move(t, notes(opts, &told))
				if !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, tt.want) }) {
					t.Errorf("told %q, want %q", told, tt.want)
				}
				wantSame(t, dump(t, target), dump(t, source))
			})
		}
	})
}

// TestStopped ends the context while batches are written.
func TestStopped(t *testing.T) {
	crossings(t, func(t *testing.T, from, to string) {
		source, target := newFull(t, from), newURL(t, to)
		ctx, stop := context.WithCancel(t.Context())
		opts := transfer.Options{From: source, To: target, Progress: func(p transfer.Progress) {
			if p.Phase == transfer.PhaseCopy && p.Done > 20 {
				stop()
			}
		}}
		if _, err := transfer.Run(ctx, opts.WithFault(2, none)); !errors.Is(err, transfer.ErrInterrupted) {
			t.Fatalf("the copy ended with %v", err)
		}
		opts.Progress = nil
		if report := move(t, opts); report.Resumed < 20 || report.Resumed == report.Rows() {
			t.Errorf("%d of %d rows were resumed", report.Resumed, report.Rows())
		}
		wantSame(t, dump(t, target), dump(t, source))
	})
}

// TestDamagedCopy changes the target behind the back of the copy: the checksums
// find it, and the target is not served.
func TestDamagedCopy(t *testing.T) {
	crossings(t, func(t *testing.T, from, to string) {
		for table, statement := range map[string]string{
			"contents":        "UPDATE contents SET content_text = content_text || ' ' WHERE id LIKE 'contents-2%'",
			"mentions":        "DELETE FROM mentions WHERE id LIKE 'mentions-3%'",
			"login_throttles": "INSERT INTO login_throttles SELECT 'x', failures, window_start, blocked_until, updated_at FROM login_throttles WHERE throttle_key LIKE 'login_throttles-1%'",
			"entities":        "UPDATE entities SET confidence = 0.1 WHERE id LIKE 'entities-3%'",
		} {
			t.Run(table, func(t *testing.T) {
				source, target := newFull(t, from), newURL(t, to)
				opts := transfer.Options{From: source, To: target}
				if _, err := transfer.Run(t.Context(), opts.WithFault(2, breakOff("verify", 1))); !errors.Is(err, errBrokenOff) {
					t.Fatal(err)
				}
				execute(t, target, statement)
				_, err := transfer.Run(t.Context(), opts)
				if err == nil || !strings.Contains(err.Error(), table+": the source has") || !strings.Contains(err.Error(), "--force") || strings.Count(err.Error(), "the source has") != 1 {
					t.Fatalf("the copy ended with %v", err)
				}
				if check(t, target) == nil {
					t.Error("a damaged copy would be served")
				}
				opts.Force = true
				move(t, opts)
				wantSame(t, dump(t, target), dump(t, source))
			})
		}
	})
}

// TestProgress watches the words about a copy: they end where they must.
func TestProgress(t *testing.T) {
	last := map[transfer.Phase]transfer.Progress{}
	opts := transfer.Options{From: newFull(t, "sqlite"), To: newURL(t, "sqlite"), Progress: func(p transfer.Progress) {
		if before := last[p.Phase]; p.Done < before.Done || p.Total != before.Total && before.Total != 0 || p.Done > p.Total || p.Rows > p.Of {
			t.Errorf("%+v after %+v", p, before)
		}
		last[p.Phase] = p
	}}
	report := move(t, opts.WithFault(2, none))
	for _, phase := range []transfer.Phase{transfer.PhaseCopy, transfer.PhaseVerify} {
		if p := last[phase]; p.Done != report.Rows() || p.Total != report.Rows() {
			t.Errorf("%s ended with %+v, want %d rows", phase, p, report.Rows())
		}
	}
	if p := last[transfer.PhaseIndex]; p.Done != p.Total || p.Total == 0 {
		t.Errorf("%+v", p)
	}
}
