package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// micros returns a time as it is stored: Unix microseconds. The zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// microsPtr is micros for times that may be unknown.
func microsPtr(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	m := micros(*t)
	return &m
}

// timeOf is the reverse of micros.
func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// timePtr is the reverse of microsPtr.
func timePtr(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	t := time.UnixMicro(*us).UTC()
	return &t
}

// listText returns a list as the JSON text that is stored; nil is an empty list.
func listText[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	return jsonText(list)
}

// jsonText returns a value as JSON text.
func jsonText(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// fromJSON is the reverse of listText and jsonText.
func fromJSON[T any](text string, into *T) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("decode the stored %T: %w", *into, err)
	}
	return nil
}

// listOf is fromJSON for lists, which mostly are empty.
func listOf[T any](text string, into *[]T) error {
	if text == "[]" {
		*into = []T{}
		return nil
	}
	return fromJSON(text, into)
}

// textsOf is fromJSON for a list of texts. Unless one of them has an escape, a
// list that listText wrote is its texts with `","` between them, and needs no
// decoder.
func textsOf(text string, into *[]string) error {
	inner, opens := strings.CutPrefix(text, `["`)
	inner, closes := strings.CutSuffix(inner, `"]`)
	if opens && closes && !strings.Contains(inner, `\`) {
		if list := strings.Split(inner, `","`); strings.Count(inner, `"`) == 2*(len(list)-1) {
			*into = list
			return nil
		}
	}
	return listOf(text, into)
}

// authorsOf is fromJSON for authors, of whom an item mostly has one with nothing
// but a name.
func authorsOf(text string, into *[]kgl.Author) error {
	name, opens := strings.CutPrefix(text, `[{"name":"`)
	name, closes := strings.CutSuffix(name, `"}]`)
	if opens && closes && !strings.ContainsAny(name, `"\`) {
		*into = []kgl.Author{{Name: name}}
		return nil
	}
	return listOf(text, into)
}

// convert maps rows by a function that may fail.
func convert[Row, T any](rows []Row, f func(Row) (T, error)) ([]T, error) {
	out := make([]T, len(rows))
	for i, row := range rows {
		t, err := f(row)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// mapped passes a converted row on, with an error of the conversion as a
// domain error.
func mapped[T any](v T, err error) (T, error) { return v, failure(err) }

// texts returns values of a named text type as strings.
func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
