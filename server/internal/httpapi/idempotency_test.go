package httpapi

import (
	"maps"
	"testing"
)

func TestWithoutPassword(t *testing.T) {
	body := map[string]any{"email": "ada@example.org", "password": "a long and quiet sentence"}
	got := withoutPassword(body)
	if want := map[string]any{"email": "ada@example.org"}; !maps.Equal(got.(map[string]any), want) {
		t.Errorf("hashed is %v, want %v", got, want)
	}
	if body["password"] == nil {
		t.Error("the handler does not get the password any more")
	}
	if withoutPassword(nil) != nil {
		t.Error("no body became one")
	}
}
