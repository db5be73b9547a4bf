package ingest

import (
	"context"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// MaxImportBytes is the size of the largest list that is imported.
const MaxImportBytes = feed.MaxOPMLBytes

const maxFileNameRunes = 200

// Imports takes lists of feeds in, which an ImportWorker adds in the
// background.
type Imports struct {
	sources *Sources
	wake    func()
}

// NewImports returns the service. wake is called after an import was stored, so
// that a worker in the same process need not poll; it may be nil.
func NewImports(sources *Sources, wake func()) *Imports {
	if wake == nil {
		wake = func() {}
	}
	return &Imports{sources: sources, wake: wake}
}

// NewImport is a list to be imported.
type NewImport struct {
	Body     []byte   // an OPML document
	FileName string   // as its sender calls it; may be empty
	Tags     []string // for every source that is added, besides the list's own
	DryRun   bool     // only say what would become of each line
}

// Start stores a list as an import. Lines that cannot be feeds have their
// outcome already. CodeFeedInvalid: the document is no OPML; CodeTooLarge;
// CodeInvalid names the field.
func (s *Imports) Start(ctx context.Context, n NewImport) (kgl.SourceImport, error) {
	outlines, err := feed.ReadOPML(ctx, n.Body)
	if err != nil {
		return kgl.SourceImport{}, err
	}
	var common kgl.Source
	if err := s.sources.setTags(&common, n.Tags); err != nil {
		return kgl.SourceImport{}, err
	}
	i := kgl.SourceImport{
		ID: s.sources.ids.NewID(), State: kgl.ImportPending, FileName: firstRunes(plain(n.FileName), maxFileNameRunes), Tags: common.Tags,
		DryRun: n.DryRun, Total: int64(len(outlines)), CreatedBy: userID(ctx), CreatedAt: s.sources.clock.Now(),
	}
	lines := make([]kgl.ImportLine, len(outlines))
	for at, o := range outlines {
		lines[at] = lineOf(at, o, common.Tags)
		if lines[at].Outcome == kgl.LineFailed {
			i.Processed++
			i.Failed++
		}
	}
	if i.Processed == i.Total {
		i.State, i.StartedAt, i.FinishedAt = kgl.ImportDone, &i.CreatedAt, &i.CreatedAt
	}
	err = s.sources.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.CreateSourceImport(ctx, i, lines); err != nil {
			return err
		}
		return s.audit(ctx, tx, "source_import.create", i.ID, map[string]any{"lines": i.Total, "dry_run": i.DryRun})
	})
	if err != nil {
		return kgl.SourceImport{}, err
	}
	s.sources.store.AfterCommit(ctx, s.wake)
	return i, nil
}

// lineOf returns an outline of a list as a line of an import.
func lineOf(at int, o feed.Outline, common []string) kgl.ImportLine {
	n := fromSubscription(o.Subscription)
	l := kgl.ImportLine{
		Position: int64(at) + 1, Line: int64(o.Line), URL: o.FeedURL, Title: strings.TrimSpace(n.Title), SiteURL: o.SiteURL,
		Tags: mergeTags(common, n.Tags), Outcome: kgl.LinePending,
	}
	switch {
	case o.Fault != "":
		l.URL, l.Outcome, l.ErrorCode, l.Message = o.Written, kgl.LineFailed, string(kgl.CodeInvalid), o.Fault
	case o.Repeats > 0:
		l.Message = repeated(int64(o.Repeats))
	}
	return l
}

// mergeTags returns the tags of both, in the form of tags, up to the bound of a
// source.
func mergeTags(lists ...[]string) []string {
	merged, seen := []string{}, map[string]bool{}
	for _, list := range lists {
		for _, tag := range list {
			if tag = normalTag(tag); tag != "" && !seen[tag] && len(merged) < maxTags {
				seen[tag] = true
				merged = append(merged, tag)
			}
		}
	}
	return merged
}

// Get returns an import. CodeNotFound.
func (s *Imports) Get(ctx context.Context, id string) (kgl.SourceImport, error) {
	return s.sources.store.SourceImport(ctx, id)
}

// List returns a page of imports, newest first.
func (s *Imports) List(ctx context.Context, p kgl.Page) (kgl.List[kgl.SourceImport], error) {
	return s.sources.store.SourceImports(ctx, p)
}

// Lines returns a page of the lines of an import. CodeNotFound.
func (s *Imports) Lines(ctx context.Context, id string, outcomes []kgl.LineOutcome, p kgl.Page) (kgl.List[kgl.ImportLine], error) {
	if _, err := s.sources.store.SourceImport(ctx, id); err != nil {
		return kgl.List[kgl.ImportLine]{}, err
	}
	return s.sources.store.ImportLines(ctx, id, outcomes, p)
}

// Cancel ends an import; what it added stays. CodeNotFound; CodeConflict: it
// has ended.
func (s *Imports) Cancel(ctx context.Context, id string) error {
	return s.sources.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.CancelSourceImport(ctx, id, s.sources.clock.Now()); err != nil {
			return err
		}
		return s.audit(ctx, tx, "source_import.cancel", id, nil)
	})
}

func (s *Imports) audit(ctx context.Context, tx kgl.Store, action, id string, details map[string]any) error {
	_, err := tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.sources.ids, s.sources.clock, action, "source_import", id, kgl.AuditSuccess, details))
	return err
}

// keepImports is how long an import and its report are kept.
const keepImports = 30 * 24 * time.Hour

// Sweep removes imports that ended long ago, a bounded number at a time.
func (s *Imports) Sweep(ctx context.Context) (int64, error) {
	return s.sources.store.DeleteSourceImports(ctx, s.sources.clock.Now().Add(-keepImports), 20)
}
