package feed

import (
	"fmt"
	"strings"
	"testing"
)

func stagesOf(doc *Document) string {
	var out []string
	for _, s := range doc.Stages {
		name := string(s.Name)
		if s.Mended {
			name += "*"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestStages(t *testing.T) {
	item := `<item><guid>1</guid><title>x</title><pubDate>Wed, 28 Oct 2026 10:00:00 GMT</pubDate><link>https://s.example.org/1</link></item>`
	for _, c := range []struct{ name, doc, stages string }{
		{"sound", rssDoc(item), "decode scan parse normalise"},
		{"bad byte", rssDoc("<item><guid>1</guid><title>caf\xe9</title></item>"), "decode* scan parse normalise"},
		{"entity", rssDoc("<item><guid>1</guid><title>&nbsp;x</title></item>"), "decode scan* parse normalise"},
		{"damaged", rssDoc(item + "<item>"), "decode scan repair* parse normalise"},
		{"JSON", `{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"x"}]}`, "decode scan parse normalise"},
		{"damaged JSON", `{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"x",}]}`, "decode scan repair* parse normalise"},
	} {
		doc := mustParse(t, c.doc, testOptions())
		checkEqual(t, c.name, stagesOf(doc), c.stages)
		var listed []Warning
		for _, s := range doc.Stages {
			listed = append(listed, s.Warnings...)
		}
		checkEqual(t, c.name+": warnings", fmt.Sprint(listed), fmt.Sprint(doc.Warnings))
		checkEqual(t, c.name+": repaired", doc.Repaired, strings.Contains(c.stages, "*"))
	}
}
