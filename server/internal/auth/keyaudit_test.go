package auth

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// onKeyStores runs a test on both stores of keys, with the log that they write.
func onKeyStores(t *testing.T, test func(t *testing.T, clock *kgl.FakeClock, keys KeyStore, store *memStore)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		clock, store := kgl.NewFakeClock(testStart), newMemStore()
		test(t, clock, NewFileKeys(filepath.Join(t.TempDir(), "keys.json"), store, clock, kgl.NewUUIDv7(clock, rand.Reader)), store)
	})
	t.Run("database", func(t *testing.T) {
		clock, store := kgl.NewFakeClock(testStart), newMemStore()
		test(t, clock, NewDatabaseKeys(store, newTestSealer(t), clock, kgl.NewUUIDv7(clock, rand.Reader)), store)
	})
}

// keyRows returns "actor action kid outcome" of each audit row.
func keyRows(store *memStore) []string {
	rows := []string{}
	for _, e := range store.data.audit {
		rows = append(rows, strings.Join([]string{string(e.ActorType), e.Action, e.SubjectID, string(e.Outcome)}, " "))
	}
	return rows
}

func kidsOf(t *testing.T, keys KeyStore, clock kgl.Clock) (ids []string, infos []KeyInfo) {
	t.Helper()
	stored, err := keys.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	infos = DescribeKeys(stored, clock.Now())
	for _, k := range infos {
		ids = append(ids, k.ID)
	}
	return ids, infos
}

// TestKeyChangesAreAudited rotates by hand and by age, and revokes: each key
// that changes has its row, and what runs out by itself has none.
func TestKeyChangesAreAudited(t *testing.T) {
	onKeyStores(t, func(t *testing.T, clock *kgl.FakeClock, keys KeyStore, store *memStore) {
		operator := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalOperator, ID: "cli"})
		ring := newTestRing(t, clock, keys)
		first, _ := kidsOf(t, keys, clock)
		want := []string{"system signing_key.create " + first[0] + " success"}
		if err := ring.Rotate(operator); err != nil {
			t.Fatal(err)
		}
		two, states := kidsOf(t, keys, clock)
		want = append(want, "operator signing_key.retire "+two[0]+" success", "operator signing_key.create "+two[1]+" success")
		if states[0].State != KeySigning || states[1].State != KeyAnnounced || states[0].RetiredAt == nil || states[1].ExpiresAt != nil {
			t.Errorf("after the rotation: %+v", states)
		}
		clock.Advance(time.Hour)
		if _, states = kidsOf(t, keys, clock); states[0].State != KeyRetired || states[1].State != KeySigning {
			t.Errorf("an hour later: %+v", states)
		}
		clock.Advance(20 * time.Minute)
		if _, states = kidsOf(t, keys, clock); states[0].State != KeyExpired {
			t.Errorf("after its end: %+v", states)
		}
		if err := ring.Refresh(operator); err != nil { // removes the first
			t.Fatal(err)
		}
		if err := ring.Revoke(operator, two[1]); err != nil {
			t.Fatal(err)
		}
		third, _ := kidsOf(t, keys, clock)
		want = append(want, "operator signing_key.revoke "+two[1]+" success", "operator signing_key.create "+third[0]+" success")
		clock.Advance(90 * 24 * time.Hour)
		if err := ring.Refresh(operator); err != nil { // its age makes the next
			t.Fatal(err)
		}
		fourth, _ := kidsOf(t, keys, clock)
		want = append(want, "system signing_key.retire "+third[0]+" success", "system signing_key.create "+fourth[1]+" success")
		if got := keyRows(store); !slices.Equal(sorted(got), sorted(want)) {
			t.Errorf("audit rows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, e := range store.data.audit {
			if e.SubjectType != "signing_key" || strings.Contains(string(e.Details), "PRIVATE") {
				t.Errorf("row %+v", e)
			}
		}
	})
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// TestNoKeyChangeWithoutAudit lets the audit log fail: the keys stay as they are.
func TestNoKeyChangeWithoutAudit(t *testing.T) {
	onKeyStores(t, func(t *testing.T, clock *kgl.FakeClock, keys KeyStore, store *memStore) {
		ring := newTestRing(t, clock, keys)
		before, _ := kidsOf(t, keys, clock)
		store.auditFails = true
		if ring.Rotate(t.Context()) == nil || ring.Revoke(t.Context(), before[0]) == nil {
			t.Error("the keys were changed unseen")
		}
		if after, _ := kidsOf(t, keys, clock); !slices.Equal(before, after) {
			t.Errorf("keys %v, before %v", after, before)
		}
	})
}

// TestFileKeysThatCannotBeWritten announces a change in the audit log that does
// not happen: the log says that, too.
func TestFileKeysThatCannotBeWritten(t *testing.T) {
	clock, store := kgl.NewFakeClock(testStart), newMemStore()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	keys := NewFileKeys(filepath.Join(dir, "keys.json"), store, clock, kgl.NewUUIDv7(clock, rand.Reader))
	ring := newTestRing(t, clock, keys)
	err := keys.Update(t.Context(), func(old []kgl.SigningKey) ([]kgl.SigningKey, error) {
		next, err := newKey(rand.Reader, clock.Now(), clock.Now().Add(time.Hour))
		if err == nil {
			err = os.RemoveAll(dir) // the disk fails between the audit row and the file
		}
		return ring.retire(append(old, next), clock.Now()), err
	})
	if err == nil {
		t.Fatal("a file was written into a folder that is not there")
	}
	rows := keyRows(store)
	if n := len(rows); n != 5 || !strings.HasSuffix(rows[2], "success") || !strings.HasSuffix(rows[3], "failure") || !strings.HasSuffix(rows[4], "failure") {
		t.Errorf("audit rows:\n%s", strings.Join(rows, "\n"))
	}
}
