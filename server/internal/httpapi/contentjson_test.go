package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func toEnclosure(e kgl.Enclosure) api.Enclosure {
	return api.Enclosure{URL: e.URL, Type: textOrNull(e.Type), Length: unlessZero(e.Length)}
}

// toContent converts an item to the generated type.
func toContent(c kgl.Content, withBody bool) api.Content {
	out := api.Content{
		ID: c.ID, SourceID: c.SourceID, GUID: c.GUID, URL: c.URL, CanonicalURL: c.CanonicalURL,
		Title: c.Title, Summary: c.Summary, Authors: convertAll(c.Authors, toAuthor), Categories: notNil(c.Categories),
		Enclosures: convertAll(c.Enclosures, toEnclosure), Language: textOrNull(c.Language),
		PublishedAt: c.PublishedAt, PublishedAtInferred: c.PublishedInferred, FetchedAt: c.FetchedAt, UpdatedAt: c.UpdatedAt,
		Status: api.ContentStatus(c.Status), Revision: int(c.Revision), DuplicateOf: textOrNull(c.DuplicateOf), WordCount: int(c.WordCount),
		DuplicateCount: c.Duplicates, ChangedAt: c.ChangedAt, ModifiedAt: timeOrNull(c.Details.ModifiedAt), PublishedAtSource: c.PublishedSource(),
		CommentsURL: textOrNull(c.Details.CommentsURL), ImageURL: textOrNull(c.Details.ImageURL), Repaired: len(c.Details.Repairs) > 0,
		Repairs: convertAll(c.Details.Repairs, toWarning), Media: nullable.NewNullNullable[api.Media](),
		Held: nullable.NewNullNullable[api.HeldEdits](),
	}
	if h := c.Details.Held; h != nil {
		out.Held = nullable.NewNullableWithValue(api.HeldEdits{Reason: string(h.Reason), Since: h.Since})
	}
	if c.Details.Media != nil {
		out.Media = nullable.NewNullableWithValue(toMedia(c.Details.Media))
	}
	if withBody {
		out.ContentHTML, out.ContentText = &c.HTML, &c.Text
	}
	return out
}

// toMedia converts media to the generated type.
func toMedia(m *kgl.Media) api.Media {
	explicit := nullable.NewNullNullable[bool]()
	if m.Explicit != nil {
		explicit = nullable.NewNullableWithValue(*m.Explicit)
	}
	return api.Media{
		DurationSeconds: unlessZero(m.Duration), Season: unlessZero(m.Season), Episode: unlessZero(m.Episode),
		EpisodeType: textOrNull(m.EpisodeType), Explicit: explicit, ChaptersURL: textOrNull(m.ChaptersURL),
		Transcripts: convertAll(m.Transcripts, func(t kgl.Transcript) api.Transcript {
			return api.Transcript{URL: t.URL, Type: textOrNull(t.Type), Language: textOrNull(t.Language)}
		}),
		Keywords: notNil(m.Keywords),
		Persons: convertAll(m.Persons, func(p kgl.Person) api.MediaPerson {
			return api.MediaPerson{Name: p.Name, Role: textOrNull(p.Role), URL: textOrNull(p.URL)}
		}),
	}
}

// encoded returns what the generated server would answer, without the escapes of
// HTML.
func encoded(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// unescaped returns an answer without the escapes of HTML, which package
// nullable writes all the same.
func unescaped(text string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(text)
}

// fill sets every field of a struct to a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("<%d & \"%[1]d\"> \\ \u00e9 \u2028\n\x01\xff \U0001F600", *n))
	case reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMicro(1_700_000_000_000_000 + int64(*n)*1_001).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

// TestContentAsGenerated compares the answers that are written by hand with
// those of the generated types, byte for byte: a field that the contract gets
// must be added to both.
func TestContentAsGenerated(t *testing.T) {
	var full kgl.Content
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	if full.Enclosures[1].Length == 0 || full.UpdatedAt.IsZero() || full.Text == "" || full.Details.Media == nil {
		t.Fatalf("not filled: %+v", full)
	}
	some := full
	some.Enclosures = []kgl.Enclosure{{URL: "u"}}
	some.Authors = some.Authors[:1]
	for _, items := range [][]kgl.Content{{}, {{}}, {full}, {full, {}, some}} {
		for _, withBody := range []bool{true, false} {
			page := api.ContentList{Data: convertAll(items, func(c kgl.Content) api.Content { return toContent(c, withBody) })}
			page.Pagination = api.Pagination{Limit: 7, NextCursor: nullable.NewNullNullable[string]()}
			if len(items) > 1 {
				page.Pagination.HasMore, page.Pagination.NextCursor = true, nullable.NewNullableWithValue("abc")
			}
			w := httptest.NewRecorder()
			if err := (contentPage{items: items, withBody: withBody, pagination: page.Pagination}).VisitListContentResponse(w); err != nil {
				t.Fatal(err)
			}
			if want := unescaped(encoded(t, page)); w.Body.String() != want {
				t.Errorf("a page:\n%s\nwant\n%s", w.Body.String(), want)
			}
		}
	}
	w := httptest.NewRecorder()
	if err := (contentItem{full}).VisitGetContentResponse(w); err != nil {
		t.Fatal(err)
	}
	if want := unescaped(encoded(t, toContent(full, true))); w.Body.String() != want || w.Header().Get("ETag") != versionTag(full.Version) {
		t.Errorf("an item:\n%s\n%v\nwant\n%s", w.Body.String(), w.Header(), want)
	}
}

// FuzzAppendText compares the strings with those of encoding/json.
func FuzzAppendText(f *testing.F) {
	for _, text := range []string{"", "plain text of more than eight bytes", `a "quoted" \ text`, "\x00\x1f\x7f\b\f\n\r\t", "\u2028\u2029\ufffd", "é\xff\xc3", `\u003c`, "1234567\x80", "1234567\"90123456\x1f"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := string(appendText(nil, text))+"\n", encoded(t, text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	})
}

func BenchmarkContentPage(b *testing.B) {
	item := kgl.Content{ID: "0190a1b2-0000-7000-8000-000000000000"}
	item.Title, item.Summary = "A title of an item", string(bytes.Repeat([]byte("some words "), 20))
	item.HTML = string(bytes.Repeat([]byte(`<p class="lead">Some words of a paragraph, and <a href="https://example.org/">a link</a>.</p>`), 35))
	item.Text = string(bytes.Repeat([]byte("Some words of a paragraph, and a link.\n"), 70))
	items := make([]kgl.Content, 20)
	for i := range items {
		items[i] = item
	}
	for _, withBody := range []bool{false, true} {
		b.Run(fmt.Sprintf("body=%t", withBody), func(b *testing.B) {
			var r recorder
			r.header = map[string][]string{}
			for b.Loop() {
				r.body.Reset()
				if err := (contentPage{items: items, withBody: withBody}).VisitListContentResponse(&r); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(r.body.Len()))
		})
	}
}
