package storetest

import (
	"reflect"
	"testing"
)

// same fails the test unless a value is the wanted one in every field. An
// empty list is the same as none.
func same[T any](t *testing.T, have, want T) {
	t.Helper()
	if v := reflect.ValueOf(have); v.Kind() == reflect.Slice && v.Len() == 0 && reflect.ValueOf(want).Len() == 0 {
		return
	}
	if !reflect.DeepEqual(have, want) {
		t.Fatalf("have %+v\nwant %+v", have, want)
	}
}

// idsOf returns the id of each row.
func idsOf[T any](rows []T, id func(T) string) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = id(row)
	}
	return out
}

// numbered returns the ids with these numbers.
func numbered(ns []int) []string {
	out := make([]string, len(ns))
	for i, n := range ns {
		out[i] = id(n)
	}
	return out
}
