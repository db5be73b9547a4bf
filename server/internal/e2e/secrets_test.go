package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// secrets are the passwords and tokens that an installation has seen.
type secrets struct {
	mu    sync.Mutex
	texts map[string]bool
}

// add remembers a secret and returns it.
func (s *secrets) add(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts == nil {
		s.texts = map[string]bool{}
	}
	s.texts[text] = true
	return text
}

// collect remembers the tokens in an answer.
func (s *secrets) collect(body []byte) {
	var tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &tokens) != nil {
		return
	}
	for _, token := range []string{tokens.AccessToken, tokens.RefreshToken} {
		if token != "" {
			s.add(token)
		}
	}
}

var jwtForm = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.`)

// checkLog fails when a secret is in the log, whole or in the part that makes it
// one.
func (in *installation) checkLog(t *testing.T) {
	t.Helper()
	log := in.log.String()
	if len(log) == 0 {
		t.Error("the log is empty: there is nothing to look for secrets in")
	}
	in.secrets.mu.Lock()
	defer in.secrets.mu.Unlock()
	for text := range in.secrets.texts {
		for _, part := range strings.Split(text, ".") { // the parts of a JWT
			if len(part) >= 16 && strings.Contains(log, part) && !strings.HasPrefix(part, "eyJhbGci") {
				t.Errorf("the log holds a secret: %.12s...", text)
			}
		}
	}
	if found := jwtForm.FindString(log); found != "" {
		t.Errorf("the log holds what looks like a token: %.20s...", found)
	}
	if strings.Contains(log, "kglr_") || strings.Contains(log, "$argon2id$") {
		t.Error("the log holds what looks like a refresh token or the hash of a password")
	}
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["module_id"] != "backend" ||
			fields["timestamp"] == nil || fields["level"] == nil || fields["message"] == nil {
			t.Fatalf("not a line of the log's form: %s", line)
		}
	}
}
