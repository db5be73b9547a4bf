package app

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// Profiles are served where the operator asked for them, to this machine only,
// and never with the API.
func TestProfiles(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "")
	r, stop := s.serve("KGL_DEBUG_ADDR=" + addr)
	for url, want := range map[string]int{
		"http://" + addr + "/debug/pprof/":                           http.StatusOK,
		"http://" + addr + "/debug/pprof/heap":                       http.StatusOK,
		"http://" + addr + "/health":                                 http.StatusNotFound,
		strings.Replace("http://"+addr, "127.0.0.1", "localhost", 1): http.StatusNotFound,
		r.URL + "/debug/pprof/":                                      http.StatusNotFound,
	} {
		if status, body := s.call(http.MethodGet, url, "", ""); status != want {
			t.Errorf("GET %s: %d, want %d: %.200s", url, status, want, body)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/debug/pprof/heap", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "rebound.example:80"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a request in the name of another host: %d", resp.StatusCode)
	}
	if err := stop(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
