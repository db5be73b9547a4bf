package auth

import (
	"bufio"
	"context"
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestHasherDefaults(t *testing.T) {
	h, err := NewHasher(rand.Reader, HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := h.Hash(t.Context(), "an ordinary pass phrase")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(encoded, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %q, want argon2id with 19 MiB and two passes", encoded)
	}
	again, err := h.Hash(t.Context(), "an ordinary pass phrase")
	if err != nil || again == encoded {
		t.Errorf("two hashes of one password are equal (error %v): no salt", err)
	}
}

func TestHasherVerify(t *testing.T) {
	h := cheapHasher(t)
	long := strings.Repeat("ünïcödé 密码 🔑 ", 12) // 156 characters, 300 bytes
	for name, tc := range map[string]struct {
		set, try string
		want     bool
	}{
		"same":                  {"an ordinary pass phrase", "an ordinary pass phrase", true},
		"other":                 {"an ordinary pass phrase", "an ordinary pass phrasf", false},
		"case":                  {"an ordinary pass phrase", "An ordinary pass phrase", false},
		"empty":                 {"an ordinary pass phrase", "", false},
		"trailing space counts": {"an ordinary pass phrase", "an ordinary pass phrase ", false},
		"long Unicode":          {long, long, true},
		"not truncated":         {long + "a", long + "b", false},
		"not cut at 72 bytes":   {strings.Repeat("x", 72) + "1", strings.Repeat("x", 72) + "2", false},
		"not cut at a NUL":      {"abc\x00def-ghi", "abc\x00other", false},
		"NFD is NFC":            {"caf\u00e9 pass phrase", "cafe\u0301 pass phrase", true},
		"NFKC is not applied":   {"\ufb01ne pass phrase", "fine pass phrase", false},
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := h.Hash(t.Context(), tc.set)
			if err != nil {
				t.Fatal(err)
			}
			got, err := h.Verify(t.Context(), encoded, tc.try)
			if err != nil || got != tc.want {
				t.Errorf("Verify = %v, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestHasherVerifyWithoutUser(t *testing.T) {
	h := cheapHasher(t)
	ok, err := h.Verify(t.Context(), "", "whatever it is")
	if ok || err != nil {
		t.Errorf("Verify of no user = %v, %v; want false", ok, err)
	}
	if p, err := parsePHC(h.dummy); err != nil || p.params != h.params {
		t.Errorf("the dummy hash costs %+v, want %+v (%v)", p.params, h.params, err)
	}
}

func TestHasherNeedsRehash(t *testing.T) {
	old := cheapHasher(t)
	encoded, err := old.Hash(t.Context(), "an ordinary pass phrase")
	if err != nil {
		t.Fatal(err)
	}
	raised, err := NewHasher(rand.Reader, HasherConfig{Params: HashParams{MemoryKiB: 128, Time: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if old.NeedsRehash(encoded) {
		t.Error("a hash with today's costs needs a rehash")
	}
	if !raised.NeedsRehash(encoded) {
		t.Error("a hash with lower costs needs no rehash")
	}
	if ok, err := raised.Verify(t.Context(), encoded, "an ordinary pass phrase"); !ok || err != nil {
		t.Errorf("a hash with lower costs does not verify: %v, %v", ok, err)
	}
	if !raised.NeedsRehash("$2a$10$something") {
		t.Error("a foreign hash needs no rehash")
	}
}

func TestParsePHCRefuses(t *testing.T) {
	for _, text := range []string{
		"", "x", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=4000,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1,x=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$",
		"$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA!",
	} {
		if _, err := parsePHC(text); err == nil {
			t.Errorf("parsePHC(%q) gave no error", text)
		}
	}
	wantCode(t, func() error {
		_, err := cheapHasher(t).Verify(t.Context(), "$2a$10$something", "x")
		return err
	}(), kgl.CodeInternal)
}

// A slot that is taken makes others wait, and only so many and so long.
func TestHasherIsBounded(t *testing.T) {
	h, err := NewHasher(rand.Reader, HasherConfig{
		Params: HashParams{MemoryKiB: 64, Time: 1, Threads: 1}, Concurrent: 1, Waiting: 1, Wait: 30 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	release, err := h.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Hash(t.Context(), "an ordinary pass phrase")
	wantCode(t, err, kgl.CodeUnavailable)
	if e := err.(*kgl.Error); e.RetryAfter <= 0 {
		t.Error("a busy hasher does not say when to try again")
	}

	h.waiting.Add(1) // the queue is full
	h.wait = time.Hour
	_, err = h.Verify(t.Context(), "", "x")
	wantCode(t, err, kgl.CodeUnavailable)
	h.waiting.Add(-1)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = h.Verify(ended, "", "x")
	wantCode(t, err, kgl.CodeTimeout)

	release()
	if _, err = h.Hash(t.Context(), "an ordinary pass phrase"); err != nil {
		t.Errorf("a free hasher fails: %v", err)
	}
	if n := h.waiting.Load(); n != 0 {
		t.Errorf("%d callers are counted as waiting after all is done", n)
	}
}

func TestHasherTwoHundredAtOnce(t *testing.T) {
	h := cheapHasher(t)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if _, err := h.Verify(t.Context(), "", "whatever it is"); err != nil && !kgl.Is(err, kgl.CodeUnavailable) {
				t.Errorf("Verify: %v", err)
			}
		})
	}
	wg.Wait()
	if !h.slots.TryAcquire(2) {
		t.Error("a slot was not given back")
	}
}

func TestCheckPassword(t *testing.T) {
	const email, name = "Ada.Lovelace@example.org", "Ada Lovelace"
	for password, good := range map[string]bool{
		"plum kettle 42 orbit":             true,
		"Kx9#mP2$vLq":                      true,
		strings.Repeat("ab3 Ω漢 ", 9) + "x": true, // 64 characters
		strings.Repeat("grün7 Wald ", 23):  true, // 253
		strings.Repeat("grün7 Wald ", 24):  false,
		"short":                            false,
		"":                                 false,
		"nine char":                        false,
		"password123":                      false,
		"Password123!":                     false,
		"P@ssw0rd12":                       false,
		"ｐａｓｓｗｏｒｄ１２３":                      false, // full-width letters
		"ｓｕｎｓｈｉｎｅｄｒａｇｏｎ": false,
		"qwertyuiop":                            false,
		"1q2w3e4r5t6y":                          false,
		"aaaaaaaaaaaaaaaa":                      false,
		"abcabcabcabc":                          false,
		"1234567890":                            false,
		"letmeinletmein":                        false,
		"lovelace123":                           false,
		"ada.lovelace":                          false,
		"ada.lovelace@example.org":              false,
		"my: ADA.LOVELACE@EXAMPLE.ORG is safe?": false,
		"plum kettle\x00 42 orbit":              false,
		"plum kettle\n 42 orbit":                false,
		"plum kettle \xff 42 orbit":             false,
		strings.Repeat("\u0301", 5000):          false,
	} {
		err := CheckPassword("password", password, email, name)
		if good && err != nil || !good && !kgl.Is(err, kgl.CodeInvalid) {
			t.Errorf("CheckPassword(%q) = %v, want good: %v", password, err, good)
		}
		if err != nil && len(password) > 6 && strings.Contains(err.Error(), password) {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func TestCheckPasswordNamesTheField(t *testing.T) {
	err := CheckPassword("new_password", "short", "", "")
	if e, ok := err.(*kgl.Error); !ok || len(e.Fields) != 1 || e.Fields[0].Field != "new_password" {
		t.Errorf("error = %v, want one about new_password", err)
	}
}

// The most common passwords are refused, also when they are long enough.
func TestCheckPasswordRefusesTheMostCommon(t *testing.T) {
	file, err := os.Open(sharedFile(t, "vectors/passwords/common-zxcvbn.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 0; n < 3000 && lines.Scan(); n++ {
		password := lines.Text()
		if err := CheckPassword("password", password, "", ""); err == nil {
			t.Errorf("common password %q is accepted", password)
		}
		if len(password) >= MinPasswordLength && guesses(password, "", "") >= minGuesses {
			t.Errorf("common password %q is refused for its length only", password)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestGeneratePassword(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		p, err := GeneratePassword(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckPassword("password", p, "admin@example.org", "Admin"); err != nil || len(p) != 29 || seen[p] {
			t.Errorf("generated %q: %v", p, err)
		}
		seen[p] = true
	}
	if _, err := GeneratePassword(strings.NewReader("")); err == nil {
		t.Error("a failing random source gives a password")
	}
}
