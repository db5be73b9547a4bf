package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// consentsText returns the consents of a source as the service shows them.
func (w *world) consentsText(id string) string {
	w.t.Helper()
	s, err := w.sources.Get(w.t.Context(), id)
	w.must(err)
	one := func(c kgl.Consent) string { return fmt.Sprint(c.Allowed, " ", c.DecidedBy, " ", c.DecidedAt != nil) }
	return one(s.Consents.AIProcessing) + ", " + one(s.Consents.Publication)
}

// lastAudit returns the details of the newest audit row.
func (w *world) lastAudit() string {
	w.t.Helper()
	list, err := w.db.AuditEvents(w.t.Context(), kgl.AuditFilter{}, kgl.Page{Limit: 1})
	w.must(err)
	return list.Rows[0].Action + " " + string(list.Rows[0].Details)
}

func TestConsentsOfASource(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		const ada = "019cb000-0000-7000-8000-000000000001"
		ctx := kgl.WithPrincipal(t.Context(), kgl.Principal{Type: kgl.PrincipalUser, ID: ada})
		plain, err := w.sources.Create(ctx, NewSource{URL: "https://plain.example/"})
		w.must(err)
		w.want("undecided", w.consentsText(plain.ID), "true  false, true  false")
		s, err := w.sources.Create(ctx, NewSource{URL: "https://example.org/", Consents: &ConsentChoice{AIProcessing: ptr(false), Publication: ptr(true)}})
		w.must(err)
		w.want("created", fmt.Sprint(s.Consents.AIProcessing.Allowed, s.Consents.Publication.Allowed), "false true")
		w.want("decided", w.consentsText(s.ID), "false "+ada+" true, true "+ada+" true")
		w.want("audit of the creation", strings.Contains(w.lastAudit(), `"ai_processing": {"new": false, "old": true}`) ||
			strings.Contains(w.lastAudit(), `"ai_processing":{"new":false,"old":true}`), true)

		s, err = w.sources.Patch(t.Context(), s.ID, SourcePatch{Consents: &ConsentChoice{AIProcessing: ptr(true)}})
		w.must(err)
		w.want("version", s.Version, int64(2))
		w.want("patched", w.consentsText(s.ID), "true anonymous true, true "+ada+" true")
		audit := w.lastAudit()
		for _, part := range []string{"source.update", "ai_processing", `"consents"`} {
			if !strings.Contains(audit, part) {
				t.Errorf("audit %s: no %s", audit, part)
			}
		}
		s, err = w.sources.Patch(t.Context(), s.ID, SourcePatch{Consents: &ConsentChoice{AIProcessing: ptr(true)}})
		w.must(err)
		w.want("the version after the same again", s.Version, int64(2))
		w.want("events", w.events(), "source.created source.created source.updated")
		_, err = w.sources.Patch(t.Context(), s.ID, SourcePatch{IfVersion: ptr(int64(1)), Consents: &ConsentChoice{AIProcessing: ptr(false)}})
		w.wantCode(err, kgl.CodePreconditionFailed)
		w.want("after a refused change", w.consentsText(s.ID), "true anonymous true, true "+ada+" true")
		_, err = w.sources.Patch(t.Context(), s.ID, SourcePatch{Title: ptr("T"), Consents: &ConsentChoice{AIProcessing: ptr(false)}, Tags: &[]string{strings.Repeat("x", 500)}})
		w.wantCode(err, kgl.CodeInvalid)
		w.want("after an invalid change", w.consentsText(s.ID), "true anonymous true, true "+ada+" true")

		list, err := w.sources.List(t.Context(), kgl.SourceFilter{}, kgl.SourceNewestFirst, kgl.Page{Limit: 10})
		w.must(err)
		for _, row := range list.Rows {
			w.want("listed "+row.URL, row.Consents.AIProcessing.DecidedAt != nil, row.ID == s.ID)
		}
	})
}

func TestBulkConsents(t *testing.T) {
	onEngines(t, func(t *testing.T, w *world) {
		a, b := w.add("https://a.example/"), w.add("https://b.example/")
		deny := BulkAction{Consents: &ConsentChoice{AIProcessing: ptr(false)}}
		all := BulkSelect{Filter: &kgl.SourceFilter{}}
		r, err := w.sources.Bulk(t.Context(), all, deny, true)
		w.must(err)
		w.want("a dry run", fmt.Sprint(r.Changed, w.consentsText(a.ID)), "2true  false, true  false")
		_, err = w.sources.Patch(t.Context(), a.ID, SourcePatch{Consents: deny.Consents})
		w.must(err)
		r, err = w.sources.Bulk(t.Context(), all, deny, false)
		w.must(err)
		w.want("changed", r.Changed, 1) // a is denied already
		for _, s := range []kgl.Source{a, b} {
			w.want(s.URL, w.consentsText(s.ID), "false anonymous true, true  false")
			w.want("version of "+s.URL, w.seen(s.ID).Version, int64(2))
		}
		if audit := w.lastAudit(); !strings.Contains(audit, "source.bulk") || !strings.Contains(audit, "ai_processing") {
			t.Errorf("audit %s", audit)
		}
	})
}
