package kgl

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

func recordParts() (IDSource, *FakeClock) {
	clock := NewFakeClock(time.Date(2026, 3, 4, 5, 6, 7, 8999, time.UTC))
	return NewUUIDv7(clock, bytes.NewReader(bytes.Repeat([]byte{7}, 1024))), clock
}

func TestNewAuditEventTakesActorAndRequestFromContext(t *testing.T) {
	ids, clock := recordParts()
	ctx := WithPrincipal(context.Background(), Principal{Type: PrincipalUser, ID: "u1"})
	ctx = WithRequest(ctx, Request{ID: "r1", Address: "192.0.2.1"})

	e := NewAuditEvent(ctx, ids, clock, "entity.update", "entity", "e1", AuditSuccess, map[string]any{"fields": []string{"name"}})

	if e.ActorType != PrincipalUser || e.ActorID != "u1" || e.RequestID != "r1" || e.Address != "192.0.2.1" {
		t.Errorf("actor or request is wrong: %+v", e)
	}
	if e.Action != "entity.update" || e.SubjectType != "entity" || e.SubjectID != "e1" || e.Outcome != AuditSuccess {
		t.Errorf("action or subject is wrong: %+v", e)
	}
	if got := string(e.Details); got != `{"fields":["name"]}` {
		t.Errorf("details = %s", got)
	}
	if !e.At.Equal(clock.Now()) || e.ID == "" || e.Seq != 0 || e.Hash != "" {
		t.Errorf("id, time or chain is wrong: %+v", e)
	}
}

func TestNewAuditEventWithoutPrincipalIsAnonymous(t *testing.T) {
	ids, clock := recordParts()
	e := NewAuditEvent(context.Background(), ids, clock, "auth.login", "user", "", AuditFailure, nil)
	if e.ActorType != PrincipalAnonymous || string(e.Details) != `{}` {
		t.Errorf("got %+v", e)
	}
}

func TestNewEvent(t *testing.T) {
	ids, clock := recordParts()
	e := NewEvent(ids, clock, EventEntityCreated, "entity", "e1", map[string]any{"b": 2, "a": "x"})
	if e.Type != EventEntityCreated || e.SubjectType != "entity" || e.SubjectID != "e1" || !e.OccurredAt.Equal(clock.Now()) {
		t.Errorf("got %+v", e)
	}
	if got := string(e.Data); got != `{"a":"x","b":2}` {
		t.Errorf("data = %s, want sorted keys", got)
	}
}

func TestDataThatJSONCannotHoldDoesNotLoseTheRow(t *testing.T) {
	ids, clock := recordParts()
	e := NewEvent(ids, clock, EventEntityCreated, "entity", "e1", map[string]any{"f": func() {}})
	if !strings.Contains(string(e.Data), "encoding_failed") {
		t.Errorf("data = %s", e.Data)
	}
}

// A scope is compared as a whole word.
func TestHasScope(t *testing.T) {
	for _, tc := range []struct {
		granted []string
		scope   string
		want    bool
	}{
		{[]string{"profile", "sources:read"}, "sources:read", true},
		{[]string{"sources:readonly"}, "sources:read", false},
		{[]string{"sources:rea"}, "sources:read", false},
		{[]string{"sources:write"}, "sources:read", false},
		{[]string{"sources:read"}, "", false},
		{nil, "profile", false},
	} {
		if got := (Principal{Scopes: tc.granted}).HasScope(tc.scope); got != tc.want {
			t.Errorf("%v has %q: %v", tc.granted, tc.scope, got)
		}
	}
}

func TestNewEnrichmentTaskWaitsForItsExtractor(t *testing.T) {
	ids, clock := recordParts()
	now := clock.Now()
	task := NewEnrichmentTask(ids, now, "c1", "s1", 3, ExtractorMock)
	want := EnrichmentTask{
		ID: task.ID, Kind: TaskKindExtract, ContentID: "c1", SourceID: "s1", Revision: 3, Extractor: ExtractorMock, State: TaskPending,
		AvailableAt: now, CreatedAt: now, UpdatedAt: now,
	}
	if task != want || task.ID == "" {
		t.Errorf("got %+v, want %+v", task, want)
	}
}
