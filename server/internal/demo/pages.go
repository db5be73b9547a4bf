package demo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// silence returns one second of silence as a WAV file (8 bit, 8 kHz, mono).
func silence() []byte {
	const rate = 8000
	var b bytes.Buffer
	b.WriteString("RIFF")
	b.Write(binary.LittleEndian.AppendUint32(nil, 36+rate))
	b.WriteString("WAVEfmt ")
	header := binary.LittleEndian.AppendUint32(nil, 16)     // size of the format
	header = binary.LittleEndian.AppendUint16(header, 1)    // PCM
	header = binary.LittleEndian.AppendUint16(header, 1)    // channels
	header = binary.LittleEndian.AppendUint32(header, rate) // samples a second
	header = binary.LittleEndian.AppendUint32(header, rate) // bytes a second
	header = binary.LittleEndian.AppendUint16(header, 1)    // bytes a sample
	header = binary.LittleEndian.AppendUint16(header, 8)    // bits a sample
	b.Write(header)
	b.WriteString("data")
	b.Write(binary.LittleEndian.AppendUint32(nil, rate))
	b.Write(bytes.Repeat([]byte{128}, rate))
	return b.Bytes()
}

func (s *Server) media(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.PathValue("file"), ".wav") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "audio/wav")
	http.ServeContent(w, r, "", epoch(), bytes.NewReader(silence()))
}

func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	b.WriteString("<h1>Sample feeds</h1>\n<p>Invented news for trying out the Knowledge Graph Lab.</p>\n")
	for _, c := range s.site.channels {
		fmt.Fprintf(&b, "<h2><a href=\"%s\">%s</a></h2>\n<p>%s</p>\n<ul>\n",
			html.EscapeString(s.site.feedURL(c)), html.EscapeString(c.title), html.EscapeString(c.description))
		for _, it := range s.site.items(c, s.now())[:5] {
			fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a></li>\n", html.EscapeString(it.url), html.EscapeString(it.title))
		}
		b.WriteString("</ul>\n")
	}
	s.page(w, r, "Sample feeds", "", b.String())
}

// story shows any story that was published by now, also when its feed does not
// list it any more.
func (s *Server) story(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil || number < 0 {
		http.NotFound(w, r)
		return
	}
	for _, c := range s.site.channels {
		if c.id != r.PathValue("channel") || number > c.newest(s.now()) {
			continue
		}
		it := s.site.item(c, number)
		body := fmt.Sprintf("<article>\n<h1>%s</h1>\n<p>%s, <time>%s</time></p>\n%s</article>\n<p><a href=\"/\">%s</a></p>\n",
			html.EscapeString(it.title), html.EscapeString(it.author), it.published.Format(time.RFC3339),
			it.html(s.site.base), html.EscapeString(c.title))
		canonical, _, _ := strings.Cut(it.url, "?")
		s.page(w, r, it.title, canonical, body)
		return
	}
	http.NotFound(w, r)
}

func (s *Server) organization(w http.ResponseWriter, r *http.Request) {
	for _, o := range s.site.library.cast.Organizations {
		if slugOf(o.Name) != r.PathValue("slug") {
			continue
		}
		s.page(w, r, o.Name, "", fmt.Sprintf("<h1>%s</h1>\n<p>%s is %s, based in %s, founded by %s and led by %s. It runs the %s and the %s. It is invented.</p>\n",
			html.EscapeString(o.Name), html.EscapeString(o.Name), html.EscapeString(o.Kind), html.EscapeString(o.City),
			html.EscapeString(o.Founder), html.EscapeString(o.Lead), html.EscapeString(o.Grant), html.EscapeString(o.Program)))
		return
	}
	http.NotFound(w, r)
}

// page writes an HTML page. Feeds are announced in its head, so that they can
// be discovered from every page.
func (s *Server) page(w http.ResponseWriter, r *http.Request, title, canonical, body string) {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s</title>\n", html.EscapeString(title))
	if canonical != "" {
		fmt.Fprintf(&b, "<link rel=\"canonical\" href=\"%s\">\n", html.EscapeString(canonical))
	}
	for _, c := range s.site.channels {
		mediaType, _, _ := strings.Cut(c.contentType, ";")
		fmt.Fprintf(&b, "<link rel=\"alternate\" type=\"%s\" title=\"%s\" href=\"%s\">\n",
			mediaType, html.EscapeString(c.title), html.EscapeString(s.site.feedURL(c)))
	}
	b.WriteString("</head>\n<body>\n" + body + "</body>\n</html>\n")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(b.String()))
}
