package examples

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// region retry

// Retrying sends a request again when the service was busy or the connection
// broke, provided that a second arrival does no harm.
type Retrying struct {
	Next  client.HttpRequestDoer
	Tries int // all in all
}

// Do waits as long as Retry-After asks for, else a second that doubles each time.
func (r *Retrying) Do(req *http.Request) (*http.Response, error) {
	pause := time.Second
	for try := 1; ; try++ {
		res, err := r.Next.Do(req)
		wait, again := pause, err != nil && req.Context().Err() == nil
		if err == nil && (res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable) {
			again = true
			if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
				wait = time.Duration(seconds) * time.Second
			}
		}
		if !again || try >= r.Tries || !repeatable(req) {
			return res, err
		}
		if res != nil {
			io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
			res.Body.Close()
		}
		select {
		case <-time.After(wait):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		pause *= 2
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// repeatable: reads and deletes; changes that name the version they build on;
// creations with a key; results of leased work; and login and refresh, which are
// safe to repeat.
func repeatable(req *http.Request) bool {
	if req.Body != nil && req.GetBody == nil {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodDelete:
		return true
	case http.MethodPatch:
		return req.Header.Get("If-Match") != ""
	}
	if strings.HasPrefix(req.URL.Path, "/api/v1/work/") && strings.HasSuffix(req.URL.Path, "/complete") {
		return true
	}
	return req.Header.Get("Idempotency-Key") != "" || req.URL.Path == "/api/v1/auth/login" || req.URL.Path == "/api/v1/auth/refresh"
}

// endregion retry
