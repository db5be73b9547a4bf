package e2e

import (
	"slices"
	"testing"

	"github.com/peermesh/kgl-backend/gen/client"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// history is what an installation had before it was moved or restored.
type history struct {
	samples []string // ids of the sources that all tests share
	user    account
	tokens  client.TokenSet
	content []string
	events  []kgl.Event
}

// makeHistory has an installation used, and notes what is there then.
func (in *installation) makeHistory(t *testing.T, b *backend) history {
	t.Helper()
	h := history{samples: b.samples(t), user: b.newAccount(t, client.RoleUser)}
	h.tokens = b.login(t, h.user)
	h.content = walk(t, b.asAdmin(t), "/api/v1/content", "", 100)
	h.events = in.eventsAfter(t, kgl.EventPosition{})
	return h
}

// check goes on with the history on another installation: with the same
// content, passwords and tokens. (checkEvents has the events.)
func (h history) check(t *testing.T, b *backend) {
	t.Helper()
	b.sampleURL = h.samples // they came along
	b.newCaller(t, h.tokens.AccessToken).do("GET", "/api/v1/auth/me", "").want(t, 200)
	b.refresh(t, h.tokens.RefreshToken).want(t, 200)
	b.login(t, h.user)
	if got := walk(t, b.asAdmin(t), "/api/v1/content", "", 100); !slices.Equal(got, h.content) {
		t.Errorf("%d items, and %d before", len(got), len(h.content))
	}
}
