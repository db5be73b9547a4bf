package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// How an ImportWorker works.
const (
	importBatch = 200             // lines in one transaction
	importLease = time.Minute     // claim on an import; must outlast a batch
	importPoll  = 5 * time.Second // how long at most until the next look for an import
	importSoon  = 200 * time.Millisecond
)

// ImportWorker adds the feeds of imports. Any number of them in any number of
// processes share one database; each import is with one worker at a time, and
// goes on elsewhere when that one dies.
type ImportWorker struct {
	// Progress is told of each import after a part of it is done; nil tells
	// nobody. Set it before the worker runs.
	Progress func(kgl.SourceImport)

	imports *Imports
	owner   string
	log     *slog.Logger
	wake    chan struct{}
}

// NewImportWorker returns a worker. owner names this process in leases; it must
// be unique.
func NewImportWorker(imports *Imports, owner string, log *slog.Logger) *ImportWorker {
	return &ImportWorker{imports: imports, owner: owner, log: log, wake: make(chan struct{}, 1)}
}

// Wake makes the worker look for an import now. It never blocks.
func (w *ImportWorker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. An import under way is given back then.
func (w *ImportWorker) Run(ctx context.Context) {
	ctx = kgl.WithPrincipal(ctx, kgl.Principal{Type: kgl.PrincipalSystem, ID: "ingest"})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		again := importPoll
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
			// An import that was stored with an Idempotency-Key is there a moment
			// after its service woke us.
			again = importSoon
		case <-timer.C:
		}
		for {
			worked, err := w.Once(ctx)
			if err != nil && ctx.Err() == nil {
				w.log.ErrorContext(ctx, "an import could not go on", "error", err)
			}
			if !worked || err != nil {
				break
			}
			again = importPoll
		}
		timer.Reset(again)
	}
}

// Once works on one import until it ends or fails, and reports whether there
// was one.
func (w *ImportWorker) Once(ctx context.Context) (bool, error) {
	store, clock := w.imports.sources.store, w.imports.sources.clock
	now := clock.Now()
	// A look that does not write: an idle worker leaves the database alone.
	if next, err := store.NextSourceImportAt(ctx); err != nil || next == nil || next.After(now) {
		return false, err
	}
	i, lease, err := store.ClaimSourceImport(ctx, w.owner, now, now.Add(importLease))
	if err != nil || i == nil {
		return false, err
	}
	for i.State == kgl.ImportRunning {
		lease.Until = clock.Now().Add(importLease)
		next, err := w.batch(ctx, *i, lease)
		if kgl.Is(err, kgl.CodeLeaseLost) {
			return true, nil // canceled, or with another worker
		}
		if err != nil {
			if err := store.ReleaseSourceImport(context.WithoutCancel(ctx), lease); err != nil {
				w.log.WarnContext(ctx, "an import was not given back", "import_id", i.ID, "error", err)
			}
			return true, fmt.Errorf("import %s: %w", i.ID, err)
		}
		if i = &next; w.Progress != nil {
			w.Progress(next)
		}
	}
	return true, nil
}

// batch gives the next lines their outcome, in one transaction with the sources
// that they add.
func (w *ImportWorker) batch(ctx context.Context, i kgl.SourceImport, lease kgl.ImportLease) (kgl.SourceImport, error) {
	var after kgl.SourceImport
	added := 0
	err := w.imports.sources.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		lines, err := tx.PendingImportLines(ctx, i.ID, importBatch)
		if err != nil {
			return err
		}
		b := &lineBatch{sources: w.imports.sources, of: i, lines: lines, first: map[string]int{}}
		if err := b.run(ctx, tx); err != nil {
			return err
		}
		if after, err = tx.FinishImportLines(ctx, lease, lines, w.imports.sources.clock.Now()); err != nil {
			return err
		}
		added = b.added
		if after.State != kgl.ImportDone {
			return nil
		}
		return w.imports.audit(ctx, tx, "source_import.finish", i.ID, map[string]any{
			"added": after.Added, "existing": after.Existing, "failed": after.Failed, "dry_run": after.DryRun,
		})
	})
	if err == nil && added > 0 {
		w.imports.sources.wake()
	}
	return after, err
}

// lineBatch finds out what becomes of some lines of an import.
type lineBatch struct {
	sources *Sources
	of      kgl.SourceImport
	lines   []kgl.ImportLine
	fresh   []kgl.Source   // that the lines ask for
	at      []int          // of each of fresh, where its line is
	first   map[string]int // where the first line with a canonical URL is
	added   int
}

func (b *lineBatch) run(ctx context.Context, tx kgl.Store) error {
	keys := b.prepare()
	known, err := tx.SourceIDsByURLKeys(ctx, keys)
	if err != nil {
		return err
	}
	var wanted []kgl.Source
	for n, src := range b.fresh {
		if known[src.URLKey] == "" && b.first[src.URLKey] == b.at[n] {
			wanted = append(wanted, src)
		}
	}
	if !b.of.DryRun {
		if err := b.create(ctx, tx, wanted); err != nil {
			return err
		}
		// A source that someone else made meanwhile was left out.
		if known, err = tx.SourceIDsByURLKeys(ctx, keys); err != nil {
			return err
		}
	}
	mine := map[string]bool{}
	for _, src := range wanted {
		mine[src.ID] = b.of.DryRun || known[src.URLKey] == src.ID
	}
	for n, src := range b.fresh {
		b.settle(n, src, known[src.URLKey], mine[src.ID])
	}
	return nil
}

// prepare makes a source of each line that can be one, and returns their
// canonical URLs.
func (b *lineBatch) prepare() []string {
	var keys []string
	for at := range b.lines {
		line := &b.lines[at]
		src, err := b.sources.imported(*line, b.of)
		if err != nil {
			line.Outcome, line.ErrorCode, line.Message = kgl.LineFailed, string(kgl.ErrorCode(err)), userMessage(err)
			continue
		}
		if _, known := b.first[src.URLKey]; !known {
			b.first[src.URLKey] = at
			keys = append(keys, src.URLKey)
		}
		b.fresh, b.at = append(b.fresh, src), append(b.at, at)
	}
	return keys
}

// create stores the sources with their events.
func (b *lineBatch) create(ctx context.Context, tx kgl.Store, wanted []kgl.Source) error {
	ids, err := tx.CreateSources(ctx, wanted)
	if err != nil {
		return err
	}
	stored := make(map[string]bool, len(ids))
	for _, id := range ids {
		stored[id] = true
	}
	var events []kgl.Event
	for _, src := range wanted {
		if stored[src.ID] {
			events = append(events, kgl.NewEvent(b.sources.ids, b.sources.clock, kgl.EventSourceCreated, "source", src.ID,
				map[string]any{"url": src.URL, "import_id": b.of.ID}))
		}
	}
	b.added = len(ids)
	return tx.AppendEvents(ctx, events)
}

// settle stores the outcome of a line in it.
func (b *lineBatch) settle(n int, src kgl.Source, watchedBy string, added bool) {
	line := &b.lines[b.at[n]]
	line.SourceID = watchedBy
	if added {
		line.Outcome = kgl.LineAdded
		if line.Message == "" && src.URL != line.URL {
			line.Message = "watched as " + src.URL
		}
		return
	}
	line.Outcome = kgl.LineExisting
	if first := b.lines[b.first[src.URLKey]]; line.Message == "" && first.Position != line.Position {
		line.Message = repeated(first.Line)
	}
}

func repeated(line int64) string { return fmt.Sprintf("the same feed stands in line %d", line) }

// imported returns the source that a line asks for.
func (s *Sources) imported(l kgl.ImportLine, of kgl.SourceImport) (kgl.Source, error) {
	now := s.clock.Now()
	src := kgl.Source{
		ID: s.ids.NewID(), Title: l.Title, SiteURL: l.SiteURL, Status: kgl.SourceActive, Health: kgl.HealthPending, NextFetchAt: &now,
		CreatedBy: of.CreatedBy, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.setURL(&src, l.URL); err != nil {
		return kgl.Source{}, err
	}
	if err := s.setTags(&src, l.Tags); err != nil {
		return kgl.Source{}, err
	}
	return src, validSource(src)
}
