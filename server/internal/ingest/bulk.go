package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The bounds of one bulk edit. Deleting takes the content along.
const (
	MaxBulk       = 1000
	MaxBulkDelete = 100
)

// BulkSelect says which sources an edit is about: those with the ids, or those
// that a filter finds, newest first.
type BulkSelect struct {
	IDs    []string
	Filter *kgl.SourceFilter
	Limit  int           // of what Filter finds; 0 means the bound
	After  *kgl.Position // goes on behind an edit that did not reach the end
}

// BulkAction is what is done to each source.
type BulkAction struct {
	SetTags       *[]string
	AddTags       []string
	RemoveTags    []string
	Status        *kgl.SourceStatus
	FetchInterval *time.Duration // 0: the installation's default
	MaxItems      *int64         // 0: the installation's default
	MaxAgeDays    *int64         // 0: the installation's default
	Consents      *ConsentChoice
	Refresh       bool // make them due now
	Delete        bool // and nothing else
}

// BulkFailure tells why one source stayed as it is.
type BulkFailure struct {
	SourceID string
	Code     kgl.Code
	Message  string
}

// BulkResult tells what a bulk edit did; of a dry run, what it would do.
type BulkResult struct {
	Matched  int // sources that were selected
	Changed  int
	Failures []BulkFailure
	Next     *kgl.Position // where the next edit goes on; nil: all were reached
}

// Bulk edits many sources in one transaction, with an event for each and one
// audit row for all. Sources that cannot be edited stay as they are and do not
// keep the others from it. CodeInvalid names what is wrong with the edit.
func (s *Sources) Bulk(ctx context.Context, which BulkSelect, what BulkAction, dryRun bool) (BulkResult, error) {
	if err := s.checkBulk(&which, &what); err != nil {
		return BulkResult{}, err
	}
	var result BulkResult
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		result = BulkResult{Failures: []BulkFailure{}}
		list, err := s.selected(ctx, tx, which, &result)
		if err != nil {
			return err
		}
		b := &bulk{sources: s, tx: tx, what: what, result: &result}
		if what.Consents != nil {
			if b.consents, err = tx.Consents(ctx, sourceIDs(list)); err != nil {
				return err
			}
		}
		for _, src := range list {
			if err := b.take(src); err != nil {
				return err
			}
		}
		if dryRun {
			return nil
		}
		return b.store(ctx, which)
	})
	if err != nil {
		return BulkResult{}, err
	}
	if !dryRun {
		s.store.AfterCommit(ctx, s.wake)
	}
	return result, nil
}

// checkBulk refuses edits that mean nothing, or too much, and brings tags in
// their form.
func (s *Sources) checkBulk(which *BulkSelect, what *BulkAction) error {
	edits := what.SetTags != nil || len(what.AddTags)+len(what.RemoveTags) > 0 || what.Status != nil || what.FetchInterval != nil ||
		what.MaxItems != nil || what.MaxAgeDays != nil || what.Consents != nil || what.Refresh
	bound := MaxBulk
	if what.Delete {
		bound = MaxBulkDelete
	}
	switch {
	case (len(which.IDs) > 0) == (which.Filter != nil):
		return kgl.Invalid("select", "needs either ids or a filter")
	case what.Delete && edits:
		return kgl.Invalid("action.delete", "does not go with another action")
	case !what.Delete && !edits:
		return kgl.Invalid("action", "names nothing to do")
	case what.SetTags != nil && len(what.AddTags)+len(what.RemoveTags) > 0:
		return kgl.Invalid("action.set_tags", "does not go with add_tags and remove_tags")
	case len(which.IDs) > bound:
		return kgl.Invalid("select.ids", "at most %d at a time", bound)
	case which.Limit > bound:
		return kgl.Invalid("select.limit", "at most %d at a time", bound)
	}
	if which.Limit <= 0 {
		which.Limit = bound
	}
	if which.Filter != nil {
		which.Filter.Tag = normalTag(which.Filter.Tag)
	}
	var scratch kgl.Source
	for _, list := range []*[]string{what.SetTags, &what.AddTags, &what.RemoveTags} {
		if list == nil {
			continue
		}
		if err := s.setTags(&scratch, *list); err != nil {
			return err
		}
		*list = scratch.Tags
	}
	return nil
}

// selected returns the sources of the selection, locked until the transaction
// ends.
func (s *Sources) selected(ctx context.Context, tx kgl.Store, which BulkSelect, result *BulkResult) ([]kgl.Source, error) {
	ids := slices.Clone(which.IDs)
	if which.Filter != nil {
		found, err := tx.Sources(ctx, *which.Filter, kgl.SourceNewestFirst, kgl.Page{Limit: which.Limit, After: which.After})
		if err != nil {
			return nil, err
		}
		result.Next = found.Next
		for _, src := range found.Rows {
			ids = append(ids, src.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	list, err := tx.LockSources(ctx, ids)
	if err != nil {
		return nil, err
	}
	result.Matched = len(list)
	for _, id := range which.IDs {
		if !slices.ContainsFunc(list, func(src kgl.Source) bool { return src.ID == id }) {
			result.fail(id, kgl.NotFound("source"))
		}
	}
	return list, nil
}

func (r *BulkResult) fail(id string, err error) {
	r.Failures = append(r.Failures, BulkFailure{SourceID: id, Code: kgl.ErrorCode(err), Message: userMessage(err)})
}

// bulk is one bulk edit under way.
type bulk struct {
	sources *Sources
	tx      kgl.Store
	what    BulkAction
	result  *BulkResult
	edited  []kgl.Source
	due     []string
	deleted []kgl.Source
	events  []kgl.Event

	consents map[string]kgl.SourceConsents // of all that are selected; nil when the edit is not about them
	deciding []kgl.Source                  // whose consents change
}

// take decides what becomes of one source. The error is one of the service.
func (b *bulk) take(src kgl.Source) error {
	s := b.sources
	if b.what.Delete {
		b.deleted = append(b.deleted, src)
		b.result.Changed++
		b.event(kgl.EventSourceDeleted, src.ID, map[string]any{"url": src.URL})
		return nil
	}
	changed, err := s.apply(&src, b.patch(src))
	if kgl.Is(err, kgl.CodeInternal) {
		return err
	}
	if err == nil && b.what.Refresh && src.Status == kgl.SourcePaused {
		err = kgl.Errorf(kgl.CodeConflict, "the source is paused and is not fetched")
	}
	if err != nil {
		b.result.fail(src.ID, err)
		return nil
	}
	if b.what.Refresh {
		b.due = append(b.due, src.ID)
	}
	details := map[string]any{}
	if consents := b.consentChanges(src); len(consents) > 0 {
		changed = append(changed, "consents")
		details["consents"] = consents
		b.deciding = append(b.deciding, src)
	}
	if len(changed) > 0 {
		src.UpdatedAt = s.clock.Now()
		b.edited = append(b.edited, src)
		details["fields"] = changed
		b.event(kgl.EventSourceUpdated, src.ID, details)
	}
	if len(changed) > 0 || b.what.Refresh {
		b.result.Changed++
	}
	return nil
}

// patch returns the edit of one source.
func (b *bulk) patch(src kgl.Source) SourcePatch {
	p := SourcePatch{
		Status: b.what.Status, FetchInterval: b.what.FetchInterval, MaxItems: b.what.MaxItems, MaxAgeDays: b.what.MaxAgeDays, Tags: b.what.SetTags,
	}
	if len(b.what.AddTags)+len(b.what.RemoveTags) > 0 {
		tags := slices.DeleteFunc(slices.Clone(src.Tags), func(tag string) bool { return slices.Contains(b.what.RemoveTags, tag) })
		for _, tag := range b.what.AddTags {
			if !slices.Contains(tags, tag) {
				tags = append(tags, tag)
			}
		}
		p.Tags = &tags
	}
	return p
}

func (b *bulk) event(typ kgl.EventType, id string, data map[string]any) {
	b.events = append(b.events, kgl.NewEvent(b.sources.ids, b.sources.clock, typ, "source", id, data))
}

// store writes all of it.
func (b *bulk) store(ctx context.Context, which BulkSelect) error {
	for _, src := range b.deleted {
		if err := b.tx.DeleteSource(ctx, src.ID); err != nil {
			return fmt.Errorf("source %s: %w", src.ID, err)
		}
	}
	if err := b.decide(ctx); err != nil {
		return err
	}
	if err := b.tx.UpdateSources(ctx, b.edited); err != nil {
		return err
	}
	if len(b.due) > 0 {
		if err := b.tx.ScheduleSources(ctx, b.due, b.sources.clock.Now()); err != nil {
			return err
		}
	}
	if err := b.tx.AppendEvents(ctx, b.events); err != nil {
		return err
	}
	_, err := b.tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, b.sources.ids, b.sources.clock, "source.bulk", "source", "", kgl.AuditSuccess,
		map[string]any{"by": selection(which), "action": b.what.names(), "matched": b.result.Matched, "changed": b.result.Changed, "failed": len(b.result.Failures)}))
	return err
}

func selection(which BulkSelect) string {
	if which.Filter != nil {
		return "filter"
	}
	return "ids"
}

// names tells what is done, for the audit log.
func (a BulkAction) names() map[string]any {
	names := map[string]any{}
	put := func(name string, given bool, value any) {
		if given {
			names[name] = value
		}
	}
	put("set_tags", a.SetTags != nil, a.SetTags)
	put("add_tags", len(a.AddTags) > 0, a.AddTags)
	put("remove_tags", len(a.RemoveTags) > 0, a.RemoveTags)
	put("status", a.Status != nil, a.Status)
	if a.FetchInterval != nil {
		names["fetch_interval_seconds"] = int64(a.FetchInterval.Seconds())
	}
	put("max_items", a.MaxItems != nil, a.MaxItems)
	put("max_age_days", a.MaxAgeDays != nil, a.MaxAgeDays)
	if a.Consents != nil {
		for purpose, allowed := range a.Consents.decisions() {
			names[string(purpose)] = allowed
		}
	}
	put("refresh", a.Refresh, true)
	put("delete", a.Delete, true)
	return names
}

// Tags returns a page of the tags of all sources, by tag.
func (s *Sources) Tags(ctx context.Context, p kgl.Page) (kgl.List[kgl.TagCount], error) {
	return s.store.SourceTags(ctx, p)
}
