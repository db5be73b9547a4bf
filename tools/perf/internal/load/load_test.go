package load

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/quantile"
)

func scenario(t *testing.T, base, path string) (*Scenario, error) {
	t.Helper()
	f := filepath.Join(t.TempDir(), "s.json")
	text := fmt.Sprintf(`{"base":%q,"lists":{"id":{"range":[1,5,1]}},"requests":[{"name":"a","weight":1,"path":%q}]}`, base, path)
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(f, "")
}

func TestOpenLoopShowsAStall(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 20 {
			time.Sleep(300 * time.Millisecond)
		}
		_, _ = w.Write(make([]byte, 10000)) // chunked
	}))
	defer srv.Close()
	s, err := scenario(t, srv.URL, "/x/{id}")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(time.Second); err != nil {
		t.Fatal(err)
	}
	r := s.Run(Options{Rate: 200, Duration: time.Second, Conns: 1, Timeout: 2 * time.Second})
	if r.Errors != 0 || r.Requests != 200 || r.Unsent != 0 {
		t.Fatalf("%+v", r)
	}
	// One stall of 300 ms at 200 requests a second holds up about 60 of 200.
	if r.Latency.P90 < 50 || r.Latency.Max < 280 {
		t.Errorf("the stall is hidden: %+v", r.Latency)
	}
	if got := r.Kinds[0].Bytes; got != 200*10000 {
		t.Errorf("read %d bytes", got)
	}
}

func TestOnlyLoopback(t *testing.T) {
	if _, err := scenario(t, "http://192.0.2.1:80", "/"); err == nil {
		t.Error("a foreign address was accepted")
	}
}

func TestQuantile(t *testing.T) {
	var h quantile.Hist
	for i := 1; i <= 10000; i++ {
		h.Add(time.Duration(i) * 10 * time.Microsecond)
	}
	for _, q := range []float64{.5, .95, .99} {
		want := q * 100e6
		if got := float64(h.Quantile(q)); got < want*0.98 || got > want*1.02 {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}
