package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func requestContext() context.Context {
	ctx := kgl.WithRequest(context.Background(), kgl.Request{ID: "req-1"})
	return kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalUser, ID: "user-1"})
}

// logLine logs once and returns the line and its JSON object.
func logLine(t *testing.T, log func(*slog.Logger)) (string, map[string]any) {
	t.Helper()
	var out bytes.Buffer
	log(NewLogger(&out, LogOptions{}))
	decoder := json.NewDecoder(bytes.NewReader(out.Bytes()))
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return out.String(), object
}

func TestJSONLineHasTheKeysThatAllModulesUse(t *testing.T) {
	line, got := logLine(t, func(l *slog.Logger) { l.InfoContext(requestContext(), "hello", "n", 1) })
	at, err := time.Parse(time.RFC3339Nano, got[KeyTimestamp].(string))
	if err != nil || time.Since(at) > time.Minute || !strings.HasSuffix(got[KeyTimestamp].(string), "Z") {
		t.Errorf("timestamp %v: %v", got[KeyTimestamp], err)
	}
	want := map[string]any{KeyLevel: "info", KeyMessage: "hello", KeyModuleID: "backend", KeyRequestID: "req-1", KeyUserID: "user-1", "n": 1.0}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s = %v, want %v", key, got[key], value)
		}
	}
	if len(got) != len(want)+1 || strings.Count(line, "\n") != 1 {
		t.Errorf("line = %s", line)
	}
}

func TestContextIsOnTheTopLevelAndOnce(t *testing.T) {
	ctx := requestContext()
	for name, log := range map[string]func(*slog.Logger){
		"group":        func(l *slog.Logger) { l.WithGroup("g").With("a", 1).InfoContext(ctx, "m", "b", 2) },
		"attr given":   func(l *slog.Logger) { l.InfoContext(ctx, "m", "request_id", "req-1") },
		"logger given": func(l *slog.Logger) { l.With("request_id", "req-1").InfoContext(ctx, "m") },
		"before group": func(l *slog.Logger) { l.With("request_id", "req-1").WithGroup("g").InfoContext(ctx, "m", "b", 2) },
	} {
		t.Run(name, func(t *testing.T) {
			line, got := logLine(t, log)
			if got[KeyRequestID] != "req-1" || got[KeyUserID] != "user-1" || strings.Count(line, KeyRequestID) != 1 {
				t.Errorf("line = %s", line)
			}
			if group, ok := got["g"].(map[string]any); strings.Contains(name, "group") && (!ok || group["b"] != 2.0) {
				t.Errorf("line = %s", line)
			}
		})
	}
	_, got := logLine(t, func(l *slog.Logger) { l.InfoContext(context.Background(), "m") })
	if _, ok := got[KeyUserID]; ok {
		t.Errorf("a user without a context: %v", got)
	}
}

func TestLevels(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	log := NewLogger(&out, LogOptions{Level: level})
	log.Debug("hidden")
	level.Set(slog.LevelDebug)
	log.Debug("shown")
	log.Warn("w")
	log.Error("e")
	for _, want := range []string{`"level":"debug","message":"shown"`, `"level":"warn"`, `"level":"error"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "hidden") {
		t.Error("the level is not heeded")
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	const secret = "hunter2hunter2"
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-bmF0dXJl"
	address := &url.URL{Scheme: "https", User: url.UserPassword("u", secret), Host: "h.example", Path: "/feed"}
	log := func(l *slog.Logger) {
		ctx := context.Background()
		l.InfoContext(ctx, "postgres://u:"+secret+"@h/d", "password", secret, "Refresh_Token", secret, "api_key", secret,
			"error", errors.New("get https://u:"+secret+"@h/x?access_token="+secret+"&page=2: refused"), "url", address,
			"header", "Bearer "+secret, "text", "token "+token+" refused", slog.Group("g", "secret", secret, "note", token))
		l.With("set-cookie", secret).WithGroup("g").Info("m", "client_secret", secret, "cause", errors.New("Basic "+secret))
	}
	for name, opts := range map[string]LogOptions{"json": {}, "text": {Text: true}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log(NewLogger(&out, opts))
			if strings.Contains(out.String(), secret) || strings.Contains(out.String(), token) {
				t.Errorf("a secret is shown: %s", out.String())
			}
			for _, kept := range []string{"page=2", "h.example/feed", "refused"} {
				if !strings.Contains(out.String(), kept) {
					t.Errorf("%s is lost: %s", kept, out.String())
				}
			}
		})
	}
}

func TestHarmlessValuesStay(t *testing.T) {
	_, got := logLine(t, func(l *slog.Logger) {
		l.Info("fetched https://h.example/a?page=2", "token_type", "bearer", "url_key", "h.example/a", "took", time.Second, "basic", "basic income")
	})
	want := map[string]any{KeyMessage: "fetched https://h.example/a?page=2", "token_type": "bearer", "url_key": "h.example/a", "basic": "basic income"}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s = %v, want %v", key, got[key], value)
		}
	}
}

func TestTextLine(t *testing.T) {
	var out bytes.Buffer
	NewLogger(&out, LogOptions{Text: true}).InfoContext(requestContext(), "hello", "n", 1)
	if got := out.String(); !strings.Contains(got, "INF hello n=1 request_id=req-1 user_id=user-1") || strings.Contains(got, "\x1b") {
		t.Errorf("line = %q", got)
	}
	out.Reset()
	NewLogger(&out, LogOptions{Text: true, Color: true}).Error("hello")
	if !strings.Contains(out.String(), "\x1b") {
		t.Errorf("no colour in %q", out.String())
	}
	if IsTerminal(&out) {
		t.Error("a buffer is no terminal")
	}
}

func TestMetrics(t *testing.T) {
	m := NewMetrics("v1.2.3")
	m.Ingest.FetchDone(kgl.FetchNewContent, time.Second, 2048)
	m.Ingest.ItemsStored(3, 2, 1)
	m.Enrich.TaskDone("mock", "done", time.Millisecond)
	state := PoolStats{Max: 10, Open: 4, InUse: 3, Waits: 2, WaitTime: time.Second}
	if err := m.Registry().Register(NewPoolCollector("postgres", func() PoolStats { return state })); err != nil {
		t.Fatal(err)
	}
	lanes := []LaneTasks{{Lane: "ai", ByState: map[string]int64{"pending": 12, "dead": 2}, Oldest: time.Minute}}
	if err := m.Registry().Register(NewWorkCollector(func() []LaneTasks { return lanes }, func() int { return 3 })); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kgl_work_tasks{lane=\"ai\",state=\"dead\"} 2\nkgl_work_tasks{lane=\"ai\",state=\"pending\"} 12",
		`kgl_work_oldest_pending_seconds{lane="ai"} 60`,
		`kgl_work_waiting_callers 3`,
		`kgl_build_info{version="v1.2.3"} 1`,
		`kgl_ingest_fetched_bytes_total 2048`,
		"kgl_ingest_items_total{result=\"created\"} 3\nkgl_ingest_items_total{result=\"failed\"} 1\nkgl_ingest_items_total{result=\"updated\"} 2",
		`kgl_db_pool_max_connections{pool="postgres"} 10`,
		`kgl_db_pool_open_connections{pool="postgres"} 4`,
		`kgl_db_pool_in_use_connections{pool="postgres"} 3`,
		`kgl_db_pool_waits_total{pool="postgres"} 2`,
		`kgl_db_pool_wait_seconds_total{pool="postgres"} 1`,
	} {
		if got := exposition(t, m); !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if _, err := m.Registry().Gather(); err != nil {
		t.Errorf("gather: %v", err)
	}
	got := exposition(t, m)
	for _, want := range []string{
		`kgl_ingest_fetch_duration_seconds_count{outcome="new_content"} 1`,
		`kgl_enrich_task_duration_seconds_count{extractor="mock",outcome="done"} 1`,
		"go_goroutines",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// TestNilMetricsDoNothing holds what tests of other packages rely on.
func TestNilMetricsDoNothing(t *testing.T) {
	var m Metrics
	m.Ingest.FetchDone(kgl.FetchFailed, 0, 0)
	m.Ingest.ItemsStored(0, 0, 0)
	m.Enrich.TaskDone("x", "y", 0)
}

// exposition returns what a scrape of /metrics would.
func exposition(t *testing.T, m *Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry(), promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}
