package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Do sends any request under the policy of the client, for webhooks, key sets
// and the AI module. It has the form that generated API clients ask for.
//
// It follows no redirects: the 3xx answer is returned. The body of the answer
// is streamed, ends with an error at Limits.MaxBody, and must be closed; the
// total time runs until then. Cookies are not sent. A content encoding is an
// error unless the request has an Accept-Encoding of its own, which leaves
// the decoding to the caller. Errors, also those of reading the body, are the
// same as those of Get.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	out, err := c.prepare(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as the contract of http.RoundTripper asks
		}
		return nil, err
	}
	parent := req.Context()
	timed, cancel := context.WithTimeout(parent, c.limits.Total)
	resp, p, err := c.exchange(parent, out.WithContext(timed))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Request = req
	body := &guardedBody{
		body: resp.Body, cancel: cancel, left: c.limits.MaxBody,
		explain: func(err error) error { return explain(parent, p, out.URL.Host, err) },
	}
	resp.Body = body
	if err := c.checkAnswer(req, resp, out.URL.Host); err != nil {
		_ = body.Close()
		return nil, err
	}
	return resp, nil
}

// prepare returns a copy of the request with its URL judged and in the
// spelling that is dialled.
func (c *Client) prepare(req *http.Request) (*http.Request, error) {
	if req.URL == nil {
		return nil, kgl.Invalid("url", "must not be empty")
	}
	out := req.Clone(req.Context())
	if err := normalise(out.URL); err != nil {
		return nil, err
	}
	if err := c.checkDestination(out.URL); err != nil {
		return nil, fail(ReasonBlocked, out.URL.Host, err)
	}
	// The name in the Host header is the one that was judged.
	out.Host = out.URL.Host
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	out.Header.Del("Cookie")
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", c.userAgent)
	}
	return out, nil
}

// errSwitching refuses status 101: its body is the raw connection.
var errSwitching = errors.New("status 101 was not asked for")

// checkAnswer refuses what is known to be wrong before the body is read.
func (c *Client) checkAnswer(req *http.Request, resp *http.Response, host string) error {
	resp.Header.Del("Set-Cookie")
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return fail(ReasonProtocol, host, errSwitching)
	}
	hasBody := req.Method != http.MethodHead && resp.ContentLength != 0
	if hasBody && resp.ContentLength > c.limits.MaxBody {
		return fail(ReasonTooLarge, host, fmt.Errorf("Content-Length: %d", resp.ContentLength))
	}
	if codings := resp.Header.Values("Content-Encoding"); hasBody && req.Header.Get("Accept-Encoding") == "" {
		if coded, err := gzipped(resp.Header); coded || err != nil {
			return fail(ReasonEncoding, host, fmt.Errorf("Content-Encoding %q was not asked for", codings))
		}
	}
	return nil
}

// HTTPClient returns a client of net/http for libraries that insist on one.
// It sends through Do: no redirects are followed, no cookies kept. Its errors
// quote the URL of the request, so they are not for users.
func (c *Client) HTTPClient() *http.Client {
	return &http.Client{
		Transport: roundTripper{c},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// roundTripper gives Do the name that http.Client calls.
type roundTripper struct{ c *Client }

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r.c.Do(req) }

// guardedBody is a streamed body with its limit, its deadline and errors in
// the terms of this package.
type guardedBody struct {
	body    io.ReadCloser
	cancel  context.CancelFunc
	left    int64
	explain func(error) error
	err     error // the last one, which stays
}

// Read implements io.Reader.
func (b *guardedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// Asking for one byte more than allowed tells a body that just fits from
	// one that does not.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), errBodyLimit
	}
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.explain(err)
	}
	b.err = err
	return n, err
}

// Close implements io.Closer and ends the time of the request.
func (b *guardedBody) Close() error {
	err := b.body.Close()
	b.cancel()
	return err
}
