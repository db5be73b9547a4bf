package farm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"
	"unicode/utf16"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
)

// document renders a feed as it stands now, or takes it from memory.
func (fm *Farm) document(f *feed) *doc {
	added := int(f.added.Load())
	if d := f.doc.Load(); d != nil && d.added == added {
		return d
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.doc.Load(); d != nil && d.added == added {
		return d
	}
	cfg := &fm.opt.Corpus
	d := &doc{added: added, plain: cfg.Document(f.Feed, added, f.site)}
	d.etag = fmt.Sprintf(`"%x-%x-%x"`, cfg.Seed, f.ID, added)
	d.lastMod = cfg.Epoch.Add(time.Duration(added) * time.Minute).Format(http.TimeFormat)
	d.ctype = [...]string{"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"}[f.Format]
	if f.Style>>16%4 == 0 && f.Format != corpus.JSONFeed {
		d.ctype = "text/xml"
	}
	charset := "; charset=utf-8"
	switch f.behaviour {
	case "latin1":
		if f.Format != corpus.JSONFeed {
			d.plain, charset = singleByte(redeclare(d.plain, "ISO-8859-1"), false), ""
		}
	case "cp1252":
		if f.Format != corpus.JSONFeed {
			d.plain, charset = singleByte(redeclare(d.plain, "windows-1252"), true), "; charset=windows-1252"
		}
	case "utf16":
		if f.Format != corpus.JSONFeed {
			d.plain, charset = toUTF16(redeclare(d.plain, "UTF-16")), ""
		}
	case "truncated":
		d.plain = d.plain[:len(d.plain)*3/5]
	case "badtype":
		d.ctype = "text/html"
	}
	d.ctype += charset
	if fm.opt.Gzip {
		var z bytes.Buffer
		zw, _ := gzip.NewWriterLevel(&z, 5)
		_, _ = zw.Write(d.plain)
		_ = zw.Close()
		d.zipped = z.Bytes()
	}
	f.doc.Store(d)
	return d
}

func redeclare(doc []byte, enc string) []byte {
	doc = bytes.Replace(doc, []byte(`encoding="UTF-8"`), []byte(`encoding="`+enc+`"`), 1)
	return bytes.Replace(doc, []byte(`encoding="utf-8"`), []byte(`encoding="`+enc+`"`), 1)
}

var cp1252 = map[rune]byte{'€': 0x80, '‘': 0x91, '’': 0x92, '“': 0x93, '”': 0x94, '–': 0x96, '—': 0x97, '…': 0x85}

func singleByte(doc []byte, windows bool) []byte {
	out := make([]byte, 0, len(doc))
	for _, r := range string(doc) {
		switch b, ok := cp1252[r]; {
		case r < 256:
			out = append(out, byte(r))
		case windows && ok:
			out = append(out, b)
		case r == '“' || r == '”':
			out = append(out, '\'')
		default:
			out = append(out, '-')
		}
	}
	return out
}

func toUTF16(doc []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(doc))) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}
