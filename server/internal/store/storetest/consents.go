package storetest

import (
	"context"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/store"
)

func runConsents(t *testing.T, open Open) {
	runEach(t, open, []test{
		{"everything is allowed until somebody decides", consentDefault},
		{"a decision is kept with its time and who made it", consentDecided},
		{"a decision that changes nothing is not kept", consentUnchanged},
		{"a source that is not has no consents to hold or decide", consentMissing},
		{"a withdrawal withholds the tasks of the source, a permission gives them back", consentTasks},
		{"held consents do not change until the transaction ends", consentHeld},
		{"consents go with their source", consentGoes},
		{"the list of content knows what may be published", consentPublishable},
	})
}

func consentsOf(t *testing.T, db *store.DB, sourceID string) kgl.SourceConsents {
	t.Helper()
	return got(db.Consents(ctx(t), []string{sourceID}))(t)[sourceID]
}

// allow decides about one purpose and returns the consents before and after.
func allow(t *testing.T, db *store.DB, sourceID string, p kgl.ConsentPurpose, allowed bool, n int) (before, after kgl.SourceConsents) {
	t.Helper()
	before, after, err := db.DecideConsents(ctx(t), sourceID, map[kgl.ConsentPurpose]bool{p: allowed}, "user:ada", minute(n))
	must(t, err)
	return before, after
}

func decided(allowed bool, n int) kgl.Consent {
	at := minute(n)
	return kgl.Consent{Allowed: allowed, DecidedAt: &at, DecidedBy: "user:ada"}
}

func consentDefault(t *testing.T, db *store.DB) {
	a, b := graphSource(t, db, 1), graphSource(t, db, 2)
	allow(t, db, b.ID, kgl.PurposePublication, false, 1)
	same(t, got(db.Consents(ctx(t), []string{a.ID, b.ID}))(t), map[string]kgl.SourceConsents{
		a.ID: kgl.DefaultConsents(),
		b.ID: {AIProcessing: kgl.Consent{Allowed: true}, Publication: decided(false, 1)},
	})
	same(t, len(got(db.Consents(ctx(t), nil))(t)), 0)
}

func consentDecided(t *testing.T, db *store.DB) {
	s := graphSource(t, db, 1)
	before, after := allow(t, db, s.ID, kgl.PurposeAIProcessing, false, 1)
	same(t, before, kgl.DefaultConsents())
	want := kgl.SourceConsents{AIProcessing: decided(false, 1), Publication: kgl.Consent{Allowed: true}}
	same(t, after, want)
	same(t, consentsOf(t, db, s.ID), want)
	before, after = allow(t, db, s.ID, kgl.PurposeAIProcessing, true, 2)
	same(t, before, want)
	want.AIProcessing = decided(true, 2)
	same(t, after, want)
	same(t, got(db.HoldConsents(ctx(t), s.ID))(t), want)
}

func consentUnchanged(t *testing.T, db *store.DB) {
	s := graphSource(t, db, 1)
	allow(t, db, s.ID, kgl.PurposePublication, true, 1) // the first decision counts, whatever it is
	_, after := allow(t, db, s.ID, kgl.PurposePublication, true, 2)
	same(t, after.Publication, decided(true, 1))
	same(t, consentsOf(t, db, s.ID).Publication, decided(true, 1))
}

func consentMissing(t *testing.T, db *store.DB) {
	_, err := db.HoldConsents(ctx(t), id(1))
	wantCode(t, err, kgl.CodeNotFound)
	_, _, err = db.DecideConsents(ctx(t), id(1), map[kgl.ConsentPurpose]bool{kgl.PurposePublication: true}, "", minute(1))
	wantCode(t, err, kgl.CodeNotFound)
}

func consentTasks(t *testing.T, db *store.DB) {
	c := itemOf(t, db, 1)
	queue(t, db, c, 0, 1, 2)
	held := claimTasks(t, db, second(1), 1)[0]
	allow(t, db, c.SourceID, kgl.PurposePublication, false, 1)
	same(t, len(claimTasks(t, db, second(1), 9)), 1) // it is about something else
	allow(t, db, c.SourceID, kgl.PurposeAIProcessing, false, 2)
	wantCode(t, db.CompleteTask(ctx(t), held, second(2)), kgl.CodeLeaseLost)
	same(t, len(claimTasks(t, db, minute(60), 9)), 0)
	allow(t, db, c.SourceID, kgl.PurposeAIProcessing, true, 3)
	same(t, len(claimTasks(t, db, minute(60), 9)), 2)
}

// consentHeld withdraws a consent while a transaction holds it: the withdrawal
// waits for what the transaction stores.
func consentHeld(t *testing.T, db *store.DB) {
	c := graphContents(t, db, 1)[0]
	source := id(5001)
	holds, withdrawn := make(chan struct{}), make(chan error, 1)
	go func() {
		<-holds
		_, _, err := db.DecideConsents(context.WithoutCancel(t.Context()), source, map[kgl.ConsentPurpose]bool{kgl.PurposeAIProcessing: false}, "", minute(1))
		withdrawn <- err
	}()
	must(t, db.InTx(ctx(t), func(ctx context.Context, tx kgl.Store) error {
		consents, err := tx.HoldConsents(ctx, source)
		if err != nil {
			return err
		}
		close(holds)
		if !consents.AIProcessing.Allowed {
			t.Error("withdrawn already")
		}
		if err := tx.CreateRun(ctx, newRun(1, c, "a@1")); err != nil {
			return err
		}
		again, err := tx.HoldConsents(ctx, source)
		if err == nil && !again.AIProcessing.Allowed {
			t.Error("a consent that is held was withdrawn")
		}
		select {
		case err := <-withdrawn:
			t.Errorf("withdrawn while it is held: %v", err)
		default:
		}
		return err
	}))
	must(t, <-withdrawn)
	same(t, consentsOf(t, db, source).AIProcessing.Allowed, false)
}

func consentGoes(t *testing.T, db *store.DB) {
	s := graphSource(t, db, 1)
	allow(t, db, s.ID, kgl.PurposeAIProcessing, false, 1)
	must(t, db.DeleteSource(ctx(t), s.ID))
	must(t, db.CreateSource(ctx(t), s))
	same(t, consentsOf(t, db, s.ID), kgl.DefaultConsents())
}

func consentPublishable(t *testing.T, db *store.DB) {
	a, b := graphSource(t, db, 1), graphSource(t, db, 2)
	cs := []kgl.Content{newGraphContent(a, 1), newGraphContent(b, 2), newGraphContent(a, 3)}
	same(t, len(got(db.CreateContents(ctx(t), cs))(t)), 3)
	allow(t, db, b.ID, kgl.PurposePublication, false, 1)
	allow(t, db, a.ID, kgl.PurposeAIProcessing, false, 1)
	yes, no := true, false
	for _, c := range []struct {
		publishable *bool
		want        []string
	}{{nil, []string{cs[2].ID, cs[1].ID, cs[0].ID}}, {&yes, []string{cs[2].ID, cs[0].ID}}, {&no, []string{cs[1].ID}}} {
		rows := pages(t, 1, func(p kgl.Page) (kgl.List[kgl.Content], error) {
			return db.Contents(ctx(t), kgl.ContentFilter{Publishable: c.publishable}, kgl.ContentNewestFirst, false, p)
		})
		same(t, idsOf(rows, func(c kgl.Content) string { return c.ID }), c.want)
	}
}
