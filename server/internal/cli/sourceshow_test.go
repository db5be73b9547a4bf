package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
	"github.com/peermesh/kgl-backend/server/internal/pgtest"
)

// fetchOnce stores the end of a fetch of the only source, as a worker does.
func (s *shell) fetchOnce(change func(*kgl.FetchResult)) {
	s.t.Helper()
	s.withApp(func(ctx context.Context, a *app.App) {
		now := time.Now().UTC().Truncate(time.Microsecond)
		leases, err := a.Store.ClaimHosts(ctx, "test", now, now.Add(time.Minute), 1)
		if err != nil || len(leases) != 1 {
			s.t.Fatalf("claimed %v, %v", leases, err)
		}
		due, err := a.Store.DueSources(ctx, leases[0].Host, now, 1)
		if err != nil || len(due) != 1 {
			s.t.Fatalf("due are %v, %v", due, err)
		}
		next := now.Add(4 * time.Hour)
		r := kgl.FetchResult{
			Fetch: kgl.Fetch{ID: a.IDs.NewID(), SourceID: due[0].ID, StartedAt: now, Duration: 120 * time.Millisecond, Outcome: kgl.FetchNewContent,
				HTTPStatus: 200, ItemsSeen: 12, ItemsCreated: 3, Details: kgl.FetchDetails{Trigger: ingest.TriggerFirst, FinalURL: "https://b.example/feed"}},
			FetchedURL: due[0].URL, Document: true, Title: "Grants\x1b[2J weekly", Status: kgl.SourceActive, NextFetchAt: &next, Health: kgl.HealthOK,
			State: kgl.FetchState{
				Decision: &kgl.FetchDecision{Rule: ingest.RuleAdaptive, Reason: "Asked again after 4 h: the feed publishes about every 8 hours", Interval: 14400, At: now},
				MeanGap:  8 * 3600, NewestAt: &now, PlannedAt: &next, Hints: kgl.FeedHints{TTL: 3600, SkipHours: []int{3, 1}, SkipDays: []int{0}},
			},
		}
		if change != nil {
			change(&r)
		}
		if err := a.Store.FinishFetch(ctx, leases[0], r, 10); err != nil {
			s.t.Fatal(err)
		}
		if err := a.Store.ReleaseHost(ctx, leases[0], time.Time{}); err != nil {
			s.t.Fatal(err)
		}
	})
}

func TestSourceShow(t *testing.T) {
	onEngines(t, func(s *shell) {
		s.want(0, line("migrate up"))
		s.want(1, line("source show https://a.example/feed"), "no such source")
		s.want(1, line("source show 019cb000-0000-7000-8000-000000000001"), "no such source")
		s.want(0, line("source add https://a.example/feed --interval 0s"))
		s.want(0, line("source show https://a.example/feed"), "pending", "(first)", "nothing is in the way")

		s.fetchOnce(func(r *kgl.FetchResult) {
			r.Move = &kgl.SourceMove{URL: "https://b.example/feed", URLKey: "https://b.example/feed", Host: "b.example"}
			r.State.FormerURLs = []string{"https://a.example/feed"}
		})
		r := s.want(0, line("source show https://a.example/feed"), // by the former URL
			"https://b.example/feed", "former urls", "ok since ", "Asked again after 4 h: the feed publishes about every 8 hours", "adaptive, decided ",
			"it is due in ", "(schedule)", "an item about every 8 h", "1 h between two requests; not in the hours 1 3 UTC; not on Sunday",
			"b.example: a request every 1 s, 5 at once", "first", "new_content", "200", "12", "120ms", "redirected to https://b.example/feed")
		if strings.Contains(r.stdout, "\x1b") {
			t.Error("a title moves the cursor")
		}
		s.want(2, line("source show"), "accepts 1 arg(s)")
		s.want(1, line("source show https://a.example/feed --fetches 1000"), "--fetches must be between")

		var have struct {
			Source struct {
				ID         string
				FormerURLs []string `json:"former_urls"`
			}
			Schedule struct {
				Decision   struct{ Rule string }
				WaitingFor []struct{ Code string } `json:"waiting_for"`
			}
			Fetches []struct{ Trigger string }
		}
		r = s.want(0, line("source show https://b.example/feed --json"))
		if err := json.Unmarshal([]byte(r.stdout), &have); err != nil {
			t.Fatal(err)
		}
		if have.Schedule.Decision.Rule != "adaptive" || have.Schedule.WaitingFor[0].Code != "not_due" || len(have.Fetches) != 1 ||
			have.Fetches[0].Trigger != "first" || len(have.Source.FormerURLs) != 1 {
			t.Errorf("%+v", have)
		}
		s.want(0, []string{"source", "show", have.Source.ID, "--fetches", "0"}, "adaptive")
	})
}

// addPrivate adds a source with credentials.
func (s *shell) addPrivate() {
	s.t.Helper()
	s.stdin = "geheim\n"
	s.want(0, line("source add https://a.example/private --user anna"))
	s.stdin = ""
}

// credentials returns those of the only source.
func (s *shell) credentials() (c outbound.Credentials) {
	s.t.Helper()
	s.withApp(func(ctx context.Context, a *app.App) {
		list, err := a.Sources.List(ctx, kgl.SourceFilter{}, kgl.SourceNewestFirst, kgl.Page{Limit: 5})
		if err != nil || len(list.Rows) != 1 {
			s.t.Fatalf("%v, %v", list.Rows, err)
		}
		if strings.Contains(list.Rows[0].Secrets, "geheim") {
			s.t.Error("the password is stored as it is")
		}
		if c, err = a.Vault.OpenCredentials(list.Rows[0].ID, list.Rows[0].Secrets); err != nil {
			s.t.Error(err)
		}
	})
	return c
}

func (s *shell) wantCredentials() {
	s.t.Helper()
	if c := s.credentials(); c.User != "anna" || c.Password != "geheim" {
		s.t.Errorf("the credentials are of %q", c.User)
	}
}

// TestCopyOfCredentials moves the credentials of a source between engines and
// between installations with keys of their own.
func TestCopyOfCredentials(t *testing.T) {
	for _, to := range []string{"sqlite", "postgres"} {
		t.Run("to "+to, func(t *testing.T) {
			onEngines(t, func(from *shell) {
				from = from.without("KGL_DATA_DIR")
				from.want(0, line("migrate up"))
				from.addPrivate()
				from.wantCredentials()
				target := newShell(t, "").without("KGL_DATA_DIR")
				if to == "postgres" {
					target = newShell(t, pgtest.NewDatabase(t)).without("KGL_DATA_DIR")
				}
				from.want(0, []string{"db", "copy", "--to", target.database()}, "the same")
				target.wantCredentials()
				info, err := os.Stat(filepath.Join(target.dir, "source-secrets.key"))
				if (err == nil) != (to == "sqlite") || err == nil && info.Mode().Perm() != 0o600 {
					t.Errorf("the file of the key: %v, %v", info, err)
				}
				from.want(0, []string{"db", "copy", "--force", "--to", target.database()}, "the same")
				target.wantCredentials()
			})
		})
	}
}

// A copy of credentials that cannot be opened would be of no use.
func TestCopyOfCredentialsWithoutTheirKey(t *testing.T) {
	s := newShell(t, "")
	s.want(0, line("migrate up"))
	s.addPrivate()
	if err := os.Rename(filepath.Join(s.dir, "source-secrets.key"), filepath.Join(s.dir, "lost")); err != nil {
		t.Fatal(err)
	}
	s.want(1, []string{"db", "copy", "--to", pgtest.NewDatabase(t)}, "the credentials of source ", "source-secrets.key")
}

func TestBackupOfCredentials(t *testing.T) {
	s := newShell(t, "")
	s.want(0, line("migrate up"))
	s.addPrivate()
	key := filepath.Join(s.dir, "source-secrets.key")
	before, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "b.db")
	s.want(0, line("backup "+file), "source-secrets.key")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	s.want(0, line("restore --force "+file))
	if after, err := os.ReadFile(key); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key is not that of the backup: %v", err)
	}
	s.wantCredentials()

	// Another key that is there stays, and the restoration says where.
	elsewhere := newShell(t, "")
	elsewhere.want(0, line("migrate up"))
	elsewhere.addPrivate()
	other, err := os.ReadFile(filepath.Join(elsewhere.dir, "source-secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, other, 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(0, line("restore --force "+file), "the old key of the credentials of sources is now "+key+".before-restore-")
	s.wantCredentials()
	aside, err := filepath.Glob(key + ".before-restore-*")
	if err != nil || len(aside) != 1 {
		t.Fatalf("aside are %v, %v", aside, err)
	}
	if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, other) {
		t.Errorf("what is aside is not the other key: %v", err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	s.want(1, line("backup --force "+file), "chmod 600")
}
