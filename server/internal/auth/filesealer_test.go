package auth_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/auth"
)

func TestFileSealer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "secrets.key")
	if _, err := auth.NewFileSealer(path, rand.Reader).Open("source", "a", "v1.AAAA"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("opened without a key: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("opening made a key")
	}
	sealed, err := auth.NewFileSealer(path, rand.Reader).Seal("source", "a", []byte("hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", info, err)
	}
	other := auth.NewFileSealer(path, rand.Reader) // another process
	if plain, err := other.Open("source", "a", sealed); err != nil || string(plain) != "hunter2" {
		t.Fatalf("opened %q, %v", plain, err)
	}
	if _, err := other.Open("source", "b", sealed); err == nil {
		t.Fatal("it opened in another row")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.NewFileSealer(path, rand.Reader).Open("source", "a", sealed); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("a key that everybody can read: %v", err)
	}
}

// Of processes that seal first at the same time, all use one key.
func TestFileSealerFirstUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	sealed := make([]string, 8)
	var all sync.WaitGroup
	for i := range sealed {
		all.Go(func() {
			var err error
			if sealed[i], err = auth.NewFileSealer(path, rand.Reader).Seal("source", "a", []byte{byte(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	last := auth.NewFileSealer(path, rand.Reader)
	for i, s := range sealed {
		if plain, err := last.Open("source", "a", s); err != nil || len(plain) != 1 || plain[0] != byte(i) {
			t.Errorf("%d: %v, %v", i, plain, err)
		}
	}
}

func TestFileSealerDamagedKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.NewFileSealer(path, rand.Reader).Seal("source", "a", nil); err == nil {
		t.Fatal("a damaged key was replaced: what was sealed under it would be lost")
	}
}

func TestSealFixed(t *testing.T) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	s, err := auth.NewSealer(key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range [][3]string{{"p", "a", "x"}, {"p", "a", "y"}, {"p", "b", "x"}, {"q", "a", "x"}} {
		first, err := s.SealFixed(c[0], c[1], []byte(c[2]))
		if err != nil {
			t.Fatal(err)
		}
		again, _ := s.SealFixed(c[0], c[1], []byte(c[2]))
		if again != first || seen[first] {
			t.Errorf("%v: %q, then %q", c, first, again)
		}
		seen[first] = true
		if plain, err := s.Open(c[0], c[1], first); err != nil || string(plain) != c[2] {
			t.Errorf("%v: opened %q, %v", c, plain, err)
		}
	}
}
