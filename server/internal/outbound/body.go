package outbound

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
)

// errBodyLimit ends a body that is over its limit.
var errBodyLimit = errors.New("body over the limit")

// receive reads a final answer to its end.
func (c *Client) receive(parent context.Context, resp *http.Response, p *progress, hops []Redirect, r Request) (*Response, error) {
	defer func() { _ = resp.Body.Close() }()
	u := resp.Request.URL
	out := &Response{
		Status:    resp.StatusCode,
		Header:    resp.Header,
		FinalURL:  u.String(),
		Redirects: hops,
		Proto:     resp.Proto,
		Reused:    p.reused.Load(),
	}
	if addr := p.remote.Load(); addr != nil {
		out.RemoteAddr = *addr
	}
	out.Header.Del("Set-Cookie")
	if resp.StatusCode < 200 || resp.StatusCode > 299 || resp.StatusCode == http.StatusNoContent {
		discard(resp)
		return out, nil
	}
	if err := partial(resp); err != nil {
		return nil, fail(ReasonTruncated, u.Host, err)
	}
	coded, err := gzipped(resp.Header)
	if err != nil {
		return nil, fail(ReasonEncoding, u.Host, err)
	}
	maxBody := tighter(r.MaxBody, c.limits.MaxBody)
	if resp.ContentLength > wireLimit(maxBody) && !r.CutBody {
		return nil, fail(ReasonTooLarge, u.Host, fmt.Errorf("Content-Length: %d", resp.ContentLength))
	}
	wire := &wireReader{body: resp.Body, left: wireLimit(maxBody)}
	out.Body, err = c.decode(wire, coded, maxBody, bodyHint(resp.ContentLength, coded, maxBody))
	out.WireBytes = wire.read
	if r.CutBody && errors.Is(err, errBodyLimit) {
		out.Cut, err = true, nil
	}
	if err == nil {
		if coded {
			out.Header.Del("Content-Encoding")
			out.Header.Del("Content-Length")
		}
		return out, nil
	}
	return nil, explainBody(parent, p, u.Host, err)
}

// partial refuses a part of a document that was not asked for: a range, which
// is never asked for (RFC 9110 section 15.3.7), or a delta (RFC 3229 section
// 10.4.1). It would pass for the whole.
func partial(resp *http.Response) error {
	if resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusIMUsed && resp.Request.Header.Get("A-Im") == "" {
		return fmt.Errorf("status %d was not asked for", resp.StatusCode)
	}
	return nil
}

// maxDiscard is the longest body that is read for nothing, in bytes: a new
// connection costs more.
const maxDiscard = 4 << 10

// discard reads a short body that nobody wants, so that its connection can be
// used again, and closes it. The deadline of the request holds.
func discard(resp *http.Response) {
	if resp.ContentLength >= 0 && resp.ContentLength <= maxDiscard {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDiscard)
	}
	_ = resp.Body.Close()
}

// explainBody tells an error of the connection from one of the encoding.
func explainBody(parent context.Context, p *progress, host string, err error) error {
	if e, ok := errors.AsType[*wireError](err); ok {
		return explain(parent, p, host, e.err)
	}
	reason := ReasonEncoding
	switch {
	case errors.Is(err, errBodyLimit):
		reason = ReasonTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		reason = ReasonTruncated
	}
	return fail(reason, host, err)
}

// gzipped reads Content-Encoding. Only gzip was asked for; anything else
// would be handed on as garbage, so it is an error. The same goes for gzip
// twice, which no honest server sends.
func gzipped(header http.Header) (bool, error) {
	var codings []string
	for _, line := range header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			coding = strings.ToLower(textproto.TrimString(coding))
			if coding != "" && coding != "identity" {
				codings = append(codings, coding)
			}
		}
	}
	switch {
	case len(codings) == 0:
		return false, nil
	case len(codings) == 1 && (codings[0] == "gzip" || codings[0] == "x-gzip"):
		return true, nil
	}
	return false, fmt.Errorf("Content-Encoding %q was not asked for", strings.Join(codings, ", "))
}

// wireLimit bounds what is read for a body of maxBody decoded bytes. gzip
// adds at most 5 bytes per block of 64 KiB and its header (RFC 1951 section
// 3.2.4, RFC 1952); an endless run of empty members decodes to nothing and
// must end too.
func wireLimit(maxBody int64) int64 { return maxBody + maxBody/1024 + 4096 }

// wireError marks an error of the connection on its way through a decoder.
type wireError struct{ err error }

func (e *wireError) Error() string { return e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

// wireReader counts and bounds the bytes of a body as received.
type wireReader struct {
	body io.Reader
	left int64
	read int64
}

// Read implements io.Reader.
func (r *wireReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		// One byte more tells a body that just fits from one that does not.
		n, err := io.ReadFull(r.body, make([]byte, 1))
		switch {
		case n > 0:
			return 0, &wireError{err: errBodyLimit}
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		}
		return 0, &wireError{err: err}
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.body.Read(p)
	r.left -= int64(n)
	r.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &wireError{err: err}
	}
	return n, err
}

// Bounds of the guess how long a body is once it is unpacked: documents of feeds
// shrink to a fifth, and a lie must not cost memory.
const (
	usualRatio = 5
	minHint    = 512
	maxHint    = 1 << 20
)

// bodyHint guesses the length of a body, in bytes, from its length on the wire;
// below 0 when that is not known.
func bodyHint(length int64, coded bool, maxBody int64) int64 {
	if coded {
		length *= usualRatio
	}
	return min(max(length+1, minHint), maxHint, maxBody+1)
}

// decode reads a body, undoes gzip and counts what comes out. Over the limit
// the body up to it is returned beside errBodyLimit. It is about hint bytes long.
func (c *Client) decode(wire io.Reader, coded bool, maxBody, hint int64) ([]byte, error) {
	src := wire
	if coded {
		members, err := c.gzips.get(wire)
		if err != nil {
			return nil, err
		}
		defer c.gzips.put(members)
		src = members
	}
	body, err := readAll(io.LimitReader(src, maxBody+1), hint)
	if int64(len(body)) > maxBody {
		return body[:maxBody], errBodyLimit
	}
	return body, err
}

// readAll is io.ReadAll with a first buffer of the given size. It is not a
// bytes.Buffer, which holds up to twice of what it was given.
func readAll(src io.Reader, hint int64) ([]byte, error) {
	body := make([]byte, 0, hint)
	for {
		n, err := src.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return body, err
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

// gzipPool keeps readers, whose windows and tables are as large as a document.
type gzipPool struct{ idle sync.Pool }

// get returns a reader of a gzip stream.
func (p *gzipPool) get(wire io.Reader) (*gzipReader, error) {
	r, reused := p.idle.Get().(*gzipReader)
	if !reused {
		return newGzipReader(wire)
	}
	r.src.Reset(wire)
	if err := r.member.Reset(r.src); err != nil {
		return nil, err
	}
	r.member.Multistream(false)
	return r, nil
}

// put keeps a reader for another stream, and nothing of the last one.
func (p *gzipPool) put(r *gzipReader) {
	r.src.Reset(nil)
	p.idle.Put(r)
}

// gzipReader reads the members of a gzip stream. What follows the last member
// and is no member is ignored, as gzip(1) does: servers pad with zeros.
type gzipReader struct {
	src    *bufio.Reader
	member *gzip.Reader
}

func newGzipReader(wire io.Reader) (*gzipReader, error) {
	src := bufio.NewReader(wire)
	member, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	member.Multistream(false)
	return &gzipReader{src: src, member: member}, nil
}

// Read implements io.Reader. io.EOF is returned only after the checksum of
// the last member was found right.
func (r *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := r.member.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil // the member says io.EOF again
		}
		if err := r.nextMember(); err != nil {
			return 0, err
		}
	}
}

// nextMember returns io.EOF when there is none.
func (r *gzipReader) nextMember() error {
	magic, err := r.src.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return io.EOF
	}
	if err := r.member.Reset(r.src); err != nil {
		return err
	}
	r.member.Multistream(false)
	return nil
}
