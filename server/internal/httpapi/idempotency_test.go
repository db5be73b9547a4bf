package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"testing"
)

func TestWithoutPassword(t *testing.T) {
	body := map[string]any{"email": "ada@example.org", "password": "a long and quiet sentence"}
	got := withoutSecrets(body)
	if want := map[string]any{"email": "ada@example.org"}; !maps.Equal(got.(map[string]any), want) {
		t.Errorf("hashed is %v, want %v", got, want)
	}
	if body["password"] == nil {
		t.Error("the handler does not get the password any more")
	}
	if withoutSecrets(nil) != nil {
		t.Error("no body became one")
	}
}

// TestPasswordsAreHashedBeforeTheTransaction: on SQLite all other writers wait
// while a transaction is open.
func TestPasswordsAreHashedBeforeTheTransaction(t *testing.T) {
	h := newHarness(t)
	h.keys.reruns = 1
	r := request{
		method: "POST", path: "/api/v1/users", header: http.Header{"Idempotency-Key": {"k"}},
		body: `{"email":"grace@example.org","name":"Grace","role":"user","password":"another long and quiet sentence"}`,
	}
	if res := h.send(r); res.Code != http.StatusCreated {
		t.Fatalf("status = %d: %s", res.Code, res.Body)
	}
	if want := []bool{false}; !slices.Equal(h.users.prepared, want) {
		t.Errorf("prepared in a transaction: %v, want %v", h.users.prepared, want)
	}
	if res := h.send(r); res.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer is not a replay: %d %s", res.Code, res.Body)
	}
}
