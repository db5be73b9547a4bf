package outbound

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func gz(t *testing.T, data string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// encoded fetches a body that a server sends with a Content-Encoding.
func encoded(t *testing.T, c *Client, coding string, body []byte) (*Response, error) {
	t.Helper()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", coding)
		_, _ = w.Write(body)
	})
	return get(t, c, s.URL)
}

func TestGzip(t *testing.T) {
	c := newClient(t, open, withLimits(Limits{MaxBody: 1000}))
	full := strings.Repeat("x", 1000)
	for name, tt := range map[string]struct {
		coding string
		body   []byte
		want   string
	}{
		"one member":        {"gzip", gz(t, "hello"), "hello"},
		"old name":          {"X-GZIP", gz(t, "hello"), "hello"},
		"beside identity":   {"identity, gzip", gz(t, "hello"), "hello"},
		"identity":          {"identity", []byte("hello"), "hello"},
		"empty":             {"gzip", gz(t, ""), ""},
		"members":           {"gzip", join(gz(t, "a"), gz(t, ""), gz(t, "b")), "ab"},
		"padded":            {"gzip", join(gz(t, "hello"), make([]byte, 512)), "hello"},
		"trailing garbage":  {"gzip", join(gz(t, "hello"), []byte("<!-- cached -->")), "hello"},
		"exactly the limit": {"gzip", gz(t, full), full},
		"limit, plain":      {"", []byte(full), full},
	} {
		resp, err := encoded(t, c, tt.coding, tt.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(resp.Body) != tt.want {
			t.Errorf("%s: got %q", name, resp.Body)
		}
		if gzipCoded := strings.Contains(strings.ToLower(tt.coding), "gzip"); gzipCoded &&
			(resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Content-Length") != "") {
			t.Errorf("%s: headers still speak of the encoded body: %v", name, resp.Header)
		}
	}
}

// Case 18: the limit counts decoded bytes, in one member and over many; an
// endless run of members that decode to nothing ends as well.
func TestCase18GzipBomb(t *testing.T) {
	c := newClient(t, open, withLimits(Limits{MaxBody: 1 << 20}))
	for name, body := range map[string][]byte{
		"one member":    gz(t, strings.Repeat("\x00", 64<<20)),
		"one too many":  gz(t, strings.Repeat("x", 1<<20+1)),
		"many members":  bytes.Repeat(gz(t, strings.Repeat("x", 1000)), 1100),
		"empty members": bytes.Repeat(gz(t, ""), 100_000),
		"not encoded":   bytes.Repeat([]byte("x"), 1<<20+1),
	} {
		coding := "gzip"
		if name == "not encoded" {
			coding = ""
		}
		_, err := encoded(t, c, coding, body)
		if ReasonOf(err) != ReasonTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			wantReason(t, err, ReasonTooLarge)
		}
	}
	// A bomb inside a bomb is one layer here: the inner one stays data.
	inner := gz(t, strings.Repeat("\x00", 64<<20))
	resp, err := encoded(t, c, "gzip", gz(t, string(inner)))
	if err != nil || !bytes.Equal(resp.Body, inner) {
		t.Errorf("bomb in a bomb: %v", err)
	}
}

// Case 19: what was not asked for is named as such, never handed on.
func TestCase19Encodings(t *testing.T) {
	c := newClient(t, open)
	var zl bytes.Buffer
	w := zlib.NewWriter(&zl)
	_, _ = w.Write([]byte("hello"))
	_ = w.Close()
	for coding, body := range map[string][]byte{
		"gzip, gzip":  gz(t, string(gz(t, "hello"))),
		"gzip,x-gzip": gz(t, string(gz(t, "hello"))),
		"deflate":     zl.Bytes(),
		"br":          []byte("hello"),
		"zstd":        []byte("hello"),
		"compress":    []byte("hello"),
		"br, gzip":    gz(t, "hello"),
		"utf-8":       []byte("hello"),
		"gzip;q=1":    gz(t, "hello"),
		"gzip":        []byte("this is not gzip at all"),
	} {
		_, err := encoded(t, c, coding, body)
		if ReasonOf(err) != ReasonEncoding {
			t.Errorf("%s: %v", coding, err)
		}
	}
}

// Case 20: gzip that breaks off anywhere, or is damaged, is a failure.
func TestCase20TruncatedGzip(t *testing.T) {
	c := newClient(t, open)
	whole := gz(t, "hello, hello, hello")
	for cut := range whole {
		resp, err := encoded(t, c, "gzip", whole[:cut])
		if err == nil {
			t.Fatalf("cut at %d: got %q", cut, resp.Body)
		}
		wantReason(t, err, ReasonTruncated)
	}
	two := join(whole, whole)
	for _, cut := range []int{len(whole) + 2, len(whole) + 5, len(whole) + 12, len(two) - 1} {
		_, err := encoded(t, c, "gzip", two[:cut])
		wantReason(t, err, ReasonTruncated)
	}
	for _, at := range []int{len(whole) - 6, len(whole) - 2} { // checksum, length
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0xff
		_, err := encoded(t, c, "gzip", damaged)
		wantReason(t, err, ReasonEncoding)
	}
	// Whole gzip in a body that is announced longer than it is.
	raw := ok + "Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n" + string(whole)
	_, err := get(t, c, rawServer(t, answer(raw)))
	wantReason(t, err, ReasonTruncated)
}

func TestGzipReaderInSmallPieces(t *testing.T) {
	want := strings.Repeat("abcdefgh", 1000)
	stream := join(gz(t, want[:3000]), gz(t, want[3000:]), make([]byte, 10))
	r, err := newGzipReader(iotest.OneByteReader(bytes.NewReader(stream)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(iotest.OneByteReader(r))
	if err != nil || string(got) != want {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// The shared bombs: as above, from another hand.
func TestSharedGzipBombs(t *testing.T) {
	c := newClient(t, open)
	for name, tt := range map[string]struct {
		coding string
		want   []Reason // nil: decodes
	}{
		"zero-64MiB.gz":          {"gzip", []Reason{ReasonTooLarge}},
		"rss-title-64MiB.xml.gz": {"gzip", []Reason{ReasonTooLarge}},
		"deflate-raw-64MiB":      {"deflate", []Reason{ReasonEncoding}},
		"deflate-zlib-64MiB":     {"deflate", []Reason{ReasonEncoding}},
		"double-gz-64MiB.gz.gz":  {"gzip, gzip", []Reason{ReasonEncoding}},
		"badcrc.gz":              {"gzip", []Reason{ReasonEncoding}},
		"truncated.gz":           {"gzip", []Reason{ReasonTruncated}},
		"not-gzip.gz":            {"gzip", []Reason{ReasonEncoding, ReasonTruncated}},
		"multistream-1000.gz":    {"gzip", nil},
		"trailing-garbage.gz":    {"gzip", nil},
	} {
		body := shared(t, "vectors/gzip-bombs/"+name)
		resp, err := encoded(t, c, tt.coding, body)
		if tt.want == nil {
			if err != nil || len(resp.Body) == 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: taken, %d bytes", name, len(resp.Body))
			continue
		}
		wantReason(t, err, tt.want...)
	}
}

// Case 20: a body that lasts until the connection ends. Nothing tells whether
// it is whole, over TLS neither, because crypto/tls takes an end without a
// farewell between two records. So it is taken, and the parser must see that
// the document is not closed. Inside of gzip the end is known.
func TestCase20UntilTheConnectionEnds(t *testing.T) {
	const head = ok + "Etag: \"v1\"\r\nConnection: close\r\n"
	c := newClient(t, open)
	if resp := mustGet(t, c, rawServer(t, answer(head+"\r\n<rss>"))); string(resp.Body) != "<rss>" {
		t.Errorf("got %q", resp.Body)
	}
	whole := string(gz(t, "<rss></rss>"))
	if resp := mustGet(t, c, rawServer(t, answer(head+"Content-Encoding: gzip\r\n\r\n"+whole))); string(resp.Body) != "<rss></rss>" {
		t.Errorf("got %q", resp.Body)
	}
	_, err := get(t, c, rawServer(t, answer(head+"Content-Encoding: gzip\r\n\r\n"+whole[:len(whole)-1])))
	wantReason(t, err, ReasonTruncated)
	_, err = get(t, c, rawServer(t, reset(head+"\r\n<rss>")))
	wantReason(t, err, ReasonTruncated)
}

// Case 20: a part that nobody asked for is not the document.
func TestCase20Parts(t *testing.T) {
	c := newClient(t, open)
	for _, status := range []int{http.StatusPartialContent, http.StatusIMUsed} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-4/1000")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<rss>")
		})
		_, err := c.Get(t.Context(), Request{URL: s.URL})
		wantReason(t, err, ReasonTruncated)
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusIMUsed)
		_, _ = io.WriteString(w, r.Header.Get("A-Im"))
	})
	resp, err := c.Get(t.Context(), Request{URL: s.URL, Header: http.Header{"A-Im": {"feed"}}})
	if err != nil || resp.Status != http.StatusIMUsed || string(resp.Body) != "feed" {
		t.Errorf("a delta that was asked for: %+v, %v", resp, err)
	}
}
