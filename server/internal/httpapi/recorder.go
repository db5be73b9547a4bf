package httpapi

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"

	"github.com/labstack/echo/v4"
)

// recorder keeps an answer back until it is known to be the one to send: after
// the transaction committed, or after its validator was compared.
type recorder struct {
	header http.Header
	body   bytes.Buffer
	status int
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// record runs next with an empty recorder in place of the writer, and puts the
// writer back. Nothing has reached the caller when it returns.
func record(c echo.Context, next echo.HandlerFunc) (*recorder, error) {
	r := &recorder{header: http.Header{}}
	return r, r.record(c, next)
}

// record is the function of that name, with a recorder that is empty.
func (r *recorder) record(c echo.Context, next echo.HandlerFunc) error {
	writer := c.Response().Writer
	c.Response().Writer = r
	err := next(c)
	unbuffer(c, writer)
	return err
}

// recorders keeps recorders for further answers, with their buffers.
type recorders struct{ pool sync.Pool }

// maxKeptBuffer bounds the buffers that are kept, in bytes: a few large answers
// must not stay in memory.
const maxKeptBuffer = 512 << 10

// get returns an empty recorder.
func (p *recorders) get() *recorder {
	if r, ok := p.pool.Get().(*recorder); ok {
		return r
	}
	return &recorder{header: http.Header{}}
}

// put takes a recorder back of which nobody holds a part any more.
func (p *recorders) put(r *recorder) {
	if r.body.Cap() > maxKeptBuffer {
		return
	}
	clear(r.header)
	r.body.Reset()
	r.status = 0
	p.pool.Put(r)
}

// unbuffer makes writer the one that the answer goes to, as if nothing had been
// written since another took its place.
func unbuffer(c echo.Context, writer http.ResponseWriter) {
	res := c.Response()
	if res.Writer == writer {
		return
	}
	res.Writer = writer
	res.Committed = false
	res.Status = http.StatusOK
	res.Size = 0
}

// send writes what was recorded to the caller.
func (r *recorder) send(c echo.Context) error {
	res := c.Response()
	for name, values := range r.header {
		res.Header()[name] = values
	}
	if r.status != http.StatusNoContent && r.status != http.StatusNotModified {
		res.Header().Set("Content-Length", strconv.Itoa(r.body.Len()))
	}
	res.WriteHeader(r.status)
	if r.body.Len() == 0 {
		return nil
	}
	_, err := res.Write(r.body.Bytes())
	return err
}
