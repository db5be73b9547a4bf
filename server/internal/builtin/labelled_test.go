package builtin

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// label is a name that a person marked in a text, in code points.
type label struct {
	start, end int
	text, typ  string
}

// fact is a relationship that a person marked, by names.
type fact struct{ typ, from, to string }

// labelled is one text with everything that was marked in it.
type labelled struct {
	text   string
	labels []label
	facts  []fact
}

// sharedDir returns a folder of the labelled corpora that are not part of the
// repository, and skips the test where there is none.
func sharedDir(t testing.TB, sub string) string {
	t.Helper()
	root := os.Getenv("KGL_SHARED")
	if root == "" {
		root = "../../../../shared"
	}
	dir := filepath.Join(root, sub)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no labelled corpora at %s (set KGL_SHARED to its folder)", dir)
	}
	return dir
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []string
	for s := bufio.NewScanner(file); s.Scan(); {
		list = append(list, s.Text())
	}
	return list
}

// halves parts a set: every second text, beginning with the first, is there to
// develop and to calibrate with, the others to measure.
func halves(set []labelled) (develop, held []labelled) {
	for i, doc := range set {
		if i%2 == 0 {
			develop = append(develop, doc)
		} else {
			held = append(held, doc)
		}
	}
	return develop, held
}

// news reads the labelled set of this package.
func news(t testing.TB) []labelled {
	t.Helper()
	var set []labelled
	open := false
	for _, line := range readLines(t, "testdata/news.txt") {
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			open = false
		case strings.HasPrefix(line, "="):
			typ, ends, _ := strings.Cut(strings.TrimSpace(line[1:]), ":")
			from, to, ok := strings.Cut(ends, "->")
			if !ok {
				t.Fatalf("no relationship: %s", line)
			}
			last := &set[len(set)-1]
			last.facts = append(last.facts, fact{typ, strings.TrimSpace(from), strings.TrimSpace(to)})
		case open:
			t.Fatalf("an item is one line: %s", line)
		default:
			set, open = append(set, parseLabels(t, line)), true
		}
	}
	return set
}

// parseLabels reads "{Patreon|platform} launched".
func parseLabels(t testing.TB, line string) labelled {
	t.Helper()
	var doc labelled
	var b strings.Builder
	n := 0
	for line != "" {
		plain, rest, found := strings.Cut(line, "{")
		b.WriteString(plain)
		n += utf8.RuneCountInString(plain)
		if !found {
			break
		}
		inner, rest, ok := strings.Cut(rest, "}")
		name, typ, typed := strings.Cut(inner, "|")
		if !ok || !typed {
			t.Fatalf("no label: %s", inner)
		}
		end := n + utf8.RuneCountInString(name)
		doc.labels = append(doc.labels, label{n, end, name, typ})
		b.WriteString(name)
		n, line = end, rest
	}
	doc.text = b.String()
	return doc
}

// wikigold reads the corpus of Balasuriya and others (2009). Its tokens are
// joined as text is written; its sentences only by spaces, so that finding them
// is a part of what is measured.
func wikigold(t testing.TB) []labelled {
	t.Helper()
	var set []labelled
	var doc detokenizer
	tag := "O"
	for _, line := range readLines(t, filepath.Join(sharedDir(t, "ner/wikigold"), "wikigold.conll.txt")) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			tag = "O"
		case fields[0] == "-DOCSTART-":
			if doc.n > 0 {
				set = append(set, doc.done())
			}
			doc, tag = detokenizer{}, "O"
		default:
			doc.add(fields[0], fields[1], tag)
			tag = fields[1]
		}
	}
	return append(set, doc.done())
}

// detokenizer joins tokens of a corpus to text.
type detokenizer struct {
	text   strings.Builder
	n      int
	quote  bool
	glue   bool // the next token follows without a space
	labels []label
}

func (d *detokenizer) add(w, tag, before string) {
	space := d.n > 0 && !d.glue
	d.glue = w == "(" || w == "[" || w == "$" || w == "#"
	switch {
	case w == `"`:
		d.quote = !d.quote
		d.glue = d.quote
		space = space && d.quote
	case strings.Contains(".,;:!?)]%", w) || strings.HasPrefix(w, "'") || w == "n't" || w == "...":
		space = false
	}
	if space {
		d.text.WriteByte(' ')
		d.n++
	}
	start := d.n
	d.text.WriteString(w)
	d.n += utf8.RuneCountInString(w)
	if tag == "O" {
		return
	}
	if last := len(d.labels) - 1; before == tag && last >= 0 {
		d.labels[last].end = d.n
		return
	}
	d.labels = append(d.labels, label{start, d.n, "", strings.TrimPrefix(tag, "I-")})
}

func (d *detokenizer) done() labelled {
	doc := labelled{text: d.text.String(), labels: d.labels}
	runes := []rune(doc.text)
	for i, l := range doc.labels {
		doc.labels[i].text = string(runes[l.start:l.end])
	}
	return doc
}

// re3d reads the corpus of the Defence Science and Technology Laboratory (2017).
func re3d(t *testing.T) []labelled {
	t.Helper()
	var set []labelled
	for _, folder := range []string{"Australian_Department_of_Foreign_Affairs", "CENTCOM", "UK_Government", "US_State_Department"} {
		dir := filepath.Join(sharedDir(t, "ner/re3d"), folder)
		index := map[string]int{}
		decodeLines(t, filepath.Join(dir, "documents.json"), func(d struct {
			ID   string `json:"_id"`
			Text string
		}) {
			index[d.ID] = len(set)
			set = append(set, labelled{text: d.Text})
		})
		decodeLines(t, filepath.Join(dir, "entities.json"), func(e struct {
			Begin, End  int
			Type, Value string
			DocumentID  string
		}) {
			doc := &set[index[e.DocumentID]]
			doc.labels = append(doc.labels, label{e.Begin, e.End, e.Value, e.Type})
		})
	}
	return set
}

func decodeLines[T any](t *testing.T, path string, visit func(T)) {
	t.Helper()
	for _, line := range readLines(t, path) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		visit(v)
	}
}
