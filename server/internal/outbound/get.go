package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Request is one GET.
type Request struct {
	URL string
	// Header holds further request headers, such as those of Conditional.
	// Only safe ones go along with a redirect to another origin; cookies,
	// Accept-Encoding and the headers of the connection cannot be set.
	Header http.Header
	Accept string // the Accept header; empty for none
	// Credentials go to the origin of URL and to nobody else.
	Credentials Credentials

	MaxBody int64 // bytes after decoding; 0 for the client's limit, which it cannot exceed
	// CutBody cuts a body at MaxBody where it would be an error: for pages of
	// which the beginning is enough. Response.Cut tells.
	CutBody bool
	Timeout time.Duration // the whole exchange; 0 for the client's limit, which it cannot exceed
}

// Response is a complete answer: what is returned without an error was
// received to its end, as far as its framing tells. A body that ends with its
// connection may be a part; who reads it must see that it is not closed.
type Response struct {
	Status int
	Header http.Header // without Set-Cookie, and without the encoding that was undone
	// Body is decoded. It is nil unless the status is 2xx: the bodies of
	// other answers are not read.
	Body       []byte
	Cut        bool       // the body goes on; only with Request.CutBody
	FinalURL   string     // the URL that answered, after redirects
	Redirects  []Redirect // in the order in which they were followed
	RemoteAddr netip.AddrPort
	Proto      string // of the final answer, such as "HTTP/1.1" or "HTTP/2.0"
	Reused     bool   // over a connection that was open already
	WireBytes  int64  // bytes of the body as received; len(Body) is decoded
}

// Redirect is one hop that was followed.
type Redirect struct {
	Status int // 301, 302, 303, 307 or 308
	From   string
	To     string
}

// PermanentURL returns the URL to which a request moved for good, by 301 and
// 308 alone from the first hop on, or "" when it did not move. A caller that
// keeps it should first see the same answer for some time.
func (r *Response) PermanentURL() string {
	to := ""
	for _, hop := range r.Redirects {
		if hop.Status != http.StatusMovedPermanently && hop.Status != http.StatusPermanentRedirect {
			break
		}
		to = hop.To
	}
	return to
}

// Get fetches a URL and follows redirects. Any HTTP status is an answer, not
// an error. It fails with CodeInvalid for a URL that cannot be requested,
// CodeTimeout, CodeTooLarge, CodeUnavailable when ctx was cancelled, and
// CodeFetchFailed for everything else; see ReasonOf for the log.
func (c *Client) Get(ctx context.Context, r Request) (*Response, error) {
	u, err := parseURL(r.URL)
	if err != nil {
		return nil, err
	}
	if err := c.checkDestination(u); err != nil {
		return nil, fail(ReasonBlocked, u.Host, err)
	}
	header, err := c.requestHeader(r)
	if err != nil {
		return nil, err
	}
	if err := r.Credentials.Check("header", "user"); err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeout(ctx, tighter(r.Timeout, c.limits.Total))
	defer cancel()

	first, private := originOf(u), r.Credentials
	var hops []Redirect
	for {
		req := (&http.Request{
			Method: http.MethodGet, URL: u, Host: u.Host, Header: private.apply(header),
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}).WithContext(timed)
		resp, p, err := c.exchange(ctx, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			_ = resp.Body.Close()
			return nil, fail(ReasonProtocol, u.Host, errSwitching)
		}
		if !isRedirect(resp.StatusCode) {
			return c.receive(ctx, resp, p, hops, r)
		}
		discard(resp) // the body of a redirect is of no use
		next, err := c.redirect(u, first, resp, len(hops))
		if err != nil {
			return nil, err
		}
		hops = append(hops, Redirect{Status: resp.StatusCode, From: u.String(), To: next.String()})
		if !keepCredentials(originOf(u), originOf(next)) {
			header, private = withoutPrivate(header), Credentials{}
		}
		u = next
	}
}

// tighter returns a limit of a request under that of its client.
func tighter[T int64 | time.Duration](request, client T) T {
	if request > 0 && request < client {
		return request
	}
	return client
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirect returns where the answer resp of from leads, judged like a first
// URL. A destination that the policy blocks looks like one that is down.
func (c *Client) redirect(from *url.URL, first origin, resp *http.Response, followed int) (*url.URL, error) {
	refuse := func(cause error) error { return fail(ReasonRedirect, from.Host, cause) }
	location := resp.Header.Get("Location")
	switch {
	case followed >= c.limits.MaxRedirects:
		return nil, refuse(fmt.Errorf("more than %d redirects", c.limits.MaxRedirects))
	case location == "":
		return nil, refuse(errors.New("no Location header"))
	case len(location) > MaxURLBytes:
		return nil, refuse(fmt.Errorf("a Location header of %d bytes", len(location)))
	}
	next, err := from.Parse(location)
	if err != nil {
		return nil, refuse(errors.New("the Location header is not a URL")) // err would quote it
	}
	if err := normalise(next); err != nil {
		return nil, refuse(err)
	}
	if c.trusted[originOf(next)] && originOf(next) != first {
		return nil, fail(ReasonBlocked, next.Host, blocked("redirect into a trusted origin"))
	}
	if err := c.checkDestination(next); err != nil {
		return nil, fail(ReasonBlocked, next.Host, err)
	}
	return next, nil
}

// requestHeader returns the headers of the first request.
func (c *Client) requestHeader(r Request) (http.Header, error) {
	header := make(http.Header, len(r.Header)+3)
	for name, values := range r.Header {
		name = http.CanonicalHeaderKey(name)
		if reservedHeader(name) || !httpguts.ValidHeaderFieldName(name) {
			return nil, kgl.Invalid("header", "%q cannot be set", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, kgl.Invalid("header", "%q has a value with control characters", name)
			}
		}
		header[name] = append([]string(nil), values...)
	}
	if r.Accept != "" {
		header.Set("Accept", r.Accept)
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", c.userAgent)
	}
	header.Set("Accept-Encoding", "gzip")
	return header, nil
}

// reservedHeader reports whether a header belongs to the client or to the
// connection, and not to the caller.
func reservedHeader(name string) bool {
	switch name {
	case "Accept-Encoding", "Connection", "Content-Length", "Cookie", "Cookie2", "Host",
		"Keep-Alive", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// withoutPrivate returns the headers that may go to another origin. It is a
// list of what is safe, because keys come under any name. The validators of a
// conditional request are safe: they came from where the redirect led before.
func withoutPrivate(header http.Header) http.Header {
	safe := make(http.Header, len(header))
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "A-Im", "Cache-Control",
		"If-Modified-Since", "If-None-Match", "User-Agent",
	} {
		if v, ok := header[name]; ok {
			safe[name] = v
		}
	}
	return safe
}
