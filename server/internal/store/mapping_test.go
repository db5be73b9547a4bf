package store

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Lists of texts come back as they were stored, whether or not they need a
// decoder, and also when something else wrote them.
func FuzzTextsOf(f *testing.F) {
	for _, text := range []string{
		`[]`, `[""]`, `["a"]`, `["a","b"]`, `["a", "b"]`, `[ "a" ]`, `["a\"b"]`, `["a\\"]`, `["a\\","b"]`, `["a,b","[c]"]`, `["é","\u00e9"]`,
		`["a"`, `["a",]`, `["a""b"]`, `["a",1]`, `[1]`, `{}`, `null`, ``, `["]`, `["a","]`, `","`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want, got []string
		wantErr, gotErr := json.Unmarshal([]byte(text), &want), textsOf(text, &got)
		if wantErr != nil || !utf8.ValidString(text) {
			return // nothing that listText writes
		}
		if gotErr != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q %v, want %q", text, got, gotErr, want)
		}
	})
}

// The same goes for authors.
func FuzzAuthorsOf(f *testing.F) {
	for _, text := range []string{
		`[]`, `[{"name":""}]`, `[{"name":"A"}]`, `[{"name":"A","url":"U"}]`, `[{"name":"A"},{"name":"B"}]`, `[{"name":"A\"}]`, `[{"name":"\u00e9"}]`,
		`[{"name":"A"}`, `[{"name":"A}]`, `[{"name":"}]`, `[{"name": "A"}]`, `[{"url":"U","name":"A"}]`, `null`, ``,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want, got []kgl.Author
		wantErr, gotErr := json.Unmarshal([]byte(text), &want), authorsOf(text, &got)
		if wantErr != nil || !utf8.ValidString(text) {
			return // nothing that listText writes
		}
		if gotErr != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %v, want %v", text, got, gotErr, want)
		}
	})
}
