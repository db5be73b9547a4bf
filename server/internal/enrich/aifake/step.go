package aifake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/peermesh/kgl-backend/gen/aiserver"
)

// Step is what becomes of one request.
type Step func(*turn)

// ways of the stub, passed to it in the context of a request.
type (
	answerKey struct{}
	jobKey    struct{}
)

// jobOrder asks the stub for a job.
type jobOrder struct {
	polls  int // that find it unfinished
	after  int // Retry-After in seconds; 0: none
	failed *aiserver.JobError
}

// Serve answers as the stub does.
func Serve() Step { return func(s *turn) { s.serve(s.r.Context()) } }

// After waits before the next step.
func After(d time.Duration, next Step) Step {
	return func(s *turn) {
		if s.pause(d) {
			next(s)
		}
	}
}

// Then calls fn before the next step.
func Then(fn func(), next Step) Step {
	return func(s *turn) {
		fn()
		next(s)
	}
}

// Until waits until a channel is closed before the next step.
func Until(open <-chan struct{}, next Step) Step {
	return func(s *turn) {
		select {
		case <-open:
			next(s)
		case <-s.r.Context().Done():
		case <-s.fake.gone:
		}
	}
}

// Answer extracts with a function of the test.
func Answer(fn func(aiserver.ExtractRequest) aiserver.Extraction) Step {
	return func(s *turn) { s.serve(context.WithValue(s.r.Context(), answerKey{}, fn)) }
}

// Job hands out a job that is found unfinished by so many polls, and then holds
// the answer. Each answer about it says to come back after so many seconds; 0:
// none does.
func Job(polls, after int) Step {
	return func(s *turn) {
		s.serve(context.WithValue(s.r.Context(), jobKey{}, jobOrder{polls: polls, after: after}))
	}
}

// FailedJob hands out a job that fails.
func FailedJob(detail string, retriable bool) Step {
	return func(s *turn) {
		s.serve(context.WithValue(s.r.Context(), jobKey{}, jobOrder{failed: &aiserver.JobError{Detail: detail, Retriable: &retriable}}))
	}
}

// Status answers with a problem document.
func Status(status int, detail string) Step {
	return func(s *turn) { s.problem(status, detail, nil) }
}

// Busy answers with 429 or 503 and how many seconds to wait; 0: it does not say.
func Busy(status, after int) Step {
	return func(s *turn) {
		header := http.Header{}
		if after > 0 {
			header.Set("Retry-After", strconv.Itoa(after))
		}
		s.problem(status, "there is too much to do", header)
	}
}

// Raw answers with 200 and these bytes, whatever they are.
func Raw(body string) Step {
	return func(s *turn) {
		s.write(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, []byte(body))
	}
}

// Redirect answers that the module is elsewhere.
func Redirect(url string) Step {
	return func(s *turn) { s.write(http.StatusTemporaryRedirect, http.Header{"Location": {url}}, nil) }
}

// Huge answers with a valid extraction of so many bytes and more.
func Huge(size int) Step {
	return func(s *turn) {
		var body bytes.Buffer
		body.WriteString(`{"relationships":[],"entities":[],"extra":"`)
		body.Write(bytes.Repeat([]byte("x"), size))
		body.WriteString(`"}`)
		s.write(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, body.Bytes())
	}
}

// Hang never answers.
func Hang() Step {
	return func(s *turn) {
		select {
		case <-s.r.Context().Done():
		case <-s.fake.gone:
		}
	}
}

// Reset resets the connection.
func Reset() Step {
	return func(s *turn) {
		conn, _, err := http.NewResponseController(s.w).Hijack()
		if err != nil {
			s.fake.t.Errorf("the fake cannot reset the connection: %v", err)
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// Truncate promises more than it sends.
func Truncate() Step {
	return func(s *turn) {
		s.w.Header().Set("Content-Type", "application/json")
		s.w.Header().Set("Content-Length", "1000")
		s.w.WriteHeader(http.StatusOK)
		_, _ = s.w.Write([]byte(`{"entities": [`))
	}
}

func (s *turn) problem(status int, detail string, header http.Header) {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/problem+json")
	body, err := json.Marshal(aiserver.Problem{Title: titleOf(status), Status: status, Detail: &detail})
	if err != nil {
		s.fake.t.Error(err)
	}
	s.write(status, header, body)
}

func titleOf(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return fmt.Sprint(status)
}
