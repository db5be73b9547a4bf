package ingest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// URLChecker says whether a URL may ever be fetched, before a source with it
// is stored. An *outbound.Client is one.
type URLChecker interface {
	// CheckURL parses a URL that a user gave. Its error is for the user.
	CheckURL(raw string) (*url.URL, error)
}

// Sources keeps the sources: what people and the operator do with them. Each
// change is written with its event and its audit row in one transaction.
type Sources struct {
	store kgl.Store
	urls  URLChecker
	clock kgl.Clock
	ids   kgl.IDSource
	wake  func()
	vault *Vault // nil: no credentials are taken
}

// NewSources returns the service. wake is called after a change that makes a
// source due, so that a worker in the same process need not poll; it may be
// nil.
func NewSources(store kgl.Store, urls URLChecker, clock kgl.Clock, ids kgl.IDSource, wake func()) *Sources {
	if wake == nil {
		wake = func() {}
	}
	return &Sources{store: store, urls: urls, clock: clock, ids: ids, wake: wake}
}

// WithVault returns the service with what seals the credentials of sources.
func (s *Sources) WithVault(v *Vault) *Sources {
	with := *s
	with.vault = v
	return &with
}

// NewSource is what is needed to add a source.
type NewSource struct {
	URL                string
	Title              string           // empty: taken from the feed
	TitleIsProvisional bool             // Title only stands in until the feed gives its own
	Status             kgl.SourceStatus // active (also when empty) or paused
	FetchInterval      time.Duration    // 0: the installation's default
	Tags               []string
	MaxItems           int64 // newest items that are kept; 0: the installation's default
	MaxAgeDays         int64 // days after publication; 0: the installation's default
	Credentials        outbound.Credentials
	Consents           *ConsentChoice // nil: both allowed by default
}

// SourcePatch changes a source; a nil field is left as it is.
type SourcePatch struct {
	URL           *string
	Title         *string // empty: back to the feed's own title at the next fetch
	Status        *kgl.SourceStatus
	FetchInterval *time.Duration // 0: back to the installation's default
	Tags          *[]string
	MaxItems      *int64          // 0: back to the installation's default
	MaxAgeDays    *int64          // 0: back to the installation's default
	RequestHeader *http.Header    // all of them, sent with each fetch; empty: none
	Authorization *Authentication // zero: none
	Consents      *ConsentChoice
	IfVersion     *int64 // only change this version
}

// Authentication is a user name and password for a feed.
type Authentication struct{ Username, Password string }

// Create adds a source and makes it due. CodeInvalid names the field;
// CodeConflict: a source with the same canonical URL exists.
func (s *Sources) Create(ctx context.Context, n NewSource) (kgl.Source, error) {
	now := s.clock.Now()
	src := kgl.Source{
		ID:            s.ids.NewID(),
		Title:         strings.TrimSpace(n.Title),
		TitleIsManual: strings.TrimSpace(n.Title) != "" && !n.TitleIsProvisional,
		Status:        n.Status,
		FetchInterval: n.FetchInterval,
		Health:        kgl.HealthPending,
		Settings:      kgl.SourceSettings{MaxItems: n.MaxItems, MaxAgeDays: n.MaxAgeDays},
		Consents:      kgl.DefaultConsents(),
		CreatedBy:     userID(ctx),
		Version:       1,
		CreatedAt:     now,
		UpdatedAt:     now,
	}
	if src.Status == "" {
		src.Status = kgl.SourceActive
	}
	if err := s.setURL(&src, n.URL); err != nil {
		return kgl.Source{}, err
	}
	if err := s.setTags(&src, n.Tags); err != nil {
		return kgl.Source{}, err
	}
	if err := settable(src.Status); err != nil {
		return kgl.Source{}, err
	}
	if err := validSource(src); err != nil {
		return kgl.Source{}, err
	}
	if err := s.seal(&src, n.Credentials); err != nil {
		return kgl.Source{}, err
	}
	if src.Status == kgl.SourceActive {
		src.NextFetchAt = &now
	}
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.CreateSource(ctx, src); err != nil {
			return err
		}
		details := map[string]any{"url": src.URL}
		if n.Consents != nil {
			changes, err := s.decideConsents(ctx, tx, &src, *n.Consents)
			if err != nil {
				return err
			}
			details["consents"] = changes
		}
		return s.record(ctx, tx, kgl.EventSourceCreated, "source.create", src.ID, details)
	})
	if kgl.Is(err, kgl.CodeConflict) {
		return kgl.Source{}, sameURL(err)
	}
	if err != nil {
		return kgl.Source{}, err
	}
	s.store.AfterCommit(ctx, s.wake)
	return src, nil
}

// userID returns the id of the user who acts; empty for the operator and the
// service itself.
func userID(ctx context.Context) string {
	if p := kgl.PrincipalFrom(ctx); p.Type == kgl.PrincipalUser {
		return p.ID
	}
	return ""
}

// Get returns a source. CodeNotFound.
func (s *Sources) Get(ctx context.Context, id string) (kgl.Source, error) {
	src, err := s.store.Source(ctx, id)
	if err == nil {
		err = s.withConsents(ctx, &src)
	}
	return src, err
}

// List returns a page of sources.
func (s *Sources) List(ctx context.Context, f kgl.SourceFilter, sort kgl.SourceSort, p kgl.Page) (kgl.List[kgl.Source], error) {
	f.Host = strings.ToLower(f.Host)
	f.Tag = normalTag(f.Tag)
	list, err := s.store.Sources(ctx, f, sort, p)
	if err != nil {
		return list, err
	}
	return list, s.withConsentsOfAll(ctx, list.Rows)
}

// ContentCounts returns the number of items of each of the sources.
func (s *Sources) ContentCounts(ctx context.Context, ids []string) (map[string]int64, error) {
	return s.store.SourceContentCounts(ctx, ids)
}

// Patch changes a source. CodeNotFound; CodePreconditionFailed: IfVersion is
// not the stored version; CodeConflict: another source has that URL.
func (s *Sources) Patch(ctx context.Context, id string, p SourcePatch) (kgl.Source, error) {
	for attempt := 1; ; attempt++ {
		src, err := s.patchOnce(ctx, id, p)
		// Without a condition a lost race is ours to repeat, not the caller's.
		if kgl.Is(err, kgl.CodePreconditionFailed) && p.IfVersion == nil && attempt < 5 {
			continue
		}
		if err == nil && src.NextFetchAt != nil {
			s.store.AfterCommit(ctx, s.wake)
		}
		return src, err
	}
}

func (s *Sources) patchOnce(ctx context.Context, id string, p SourcePatch) (kgl.Source, error) {
	var updated kgl.Source
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		src, err := tx.Source(ctx, id)
		if err != nil {
			return err
		}
		if p.IfVersion != nil && *p.IfVersion != src.Version {
			return kgl.Errorf(kgl.CodePreconditionFailed, "the source was changed meanwhile; read it again")
		}
		details := map[string]any{}
		if err := s.patchConsents(ctx, tx, &src, p.Consents, details); err != nil {
			return err
		}
		changed, err := s.apply(&src, p)
		if err != nil {
			return err
		}
		if details["consents"] != nil {
			changed = append(changed, "consents")
		}
		if len(changed) == 0 {
			updated = src
			return nil
		}
		src.UpdatedAt = s.clock.Now()
		if updated, err = tx.UpdateSource(ctx, src); err != nil {
			if kgl.Is(err, kgl.CodeConflict) {
				return sameURL(err)
			}
			return err
		}
		updated.Consents = src.Consents
		details["fields"] = changed
		return s.record(ctx, tx, kgl.EventSourceUpdated, "source.update", id, details)
	})
	return updated, err
}

// apply changes src and returns the names of the fields that differ.
func (s *Sources) apply(src *kgl.Source, p SourcePatch) ([]string, error) {
	before := *src
	if p.URL != nil {
		if err := s.setURL(src, *p.URL); err != nil {
			return nil, err
		}
	}
	if p.Title != nil {
		title := strings.TrimSpace(*p.Title)
		if src.TitleIsManual = title != ""; src.TitleIsManual || before.TitleIsManual {
			src.Title = title
		}
	}
	if p.FetchInterval != nil {
		src.FetchInterval = *p.FetchInterval
	}
	if p.Tags != nil {
		if err := s.setTags(src, *p.Tags); err != nil {
			return nil, err
		}
	}
	if p.MaxItems != nil {
		src.Settings.MaxItems = *p.MaxItems
	}
	if p.MaxAgeDays != nil {
		src.Settings.MaxAgeDays = *p.MaxAgeDays
	}
	if err := s.changeCredentials(src, before, p); err != nil {
		return nil, err
	}
	if p.Status != nil {
		if err := settable(*p.Status); err != nil {
			return nil, err
		}
		src.Status = *p.Status
	}
	if err := validSource(*src); err != nil {
		return nil, err
	}
	s.reschedule(src, before)
	return changedFields(before, *src), nil
}

// reschedule makes a source due that was resumed or moved, or whose title the
// feed is to give again, and not due that was paused. Resuming and moving
// forget the failures.
func (s *Sources) reschedule(src *kgl.Source, before kgl.Source) {
	now := s.clock.Now()
	resumed := src.Status == kgl.SourceActive && before.Status != kgl.SourceActive
	switch {
	case src.Status == kgl.SourcePaused:
		src.NextFetchAt = nil
	case resumed, src.URL != before.URL:
		src.Status = kgl.SourceActive
		src.ConsecutiveFailures, src.LastErrorCode, src.LastError, src.LastErrorAt = 0, "", "", nil
		src.NextFetchAt = &now
	case src.Status != kgl.SourceActive:
		// Failing sources keep their backoff.
	case before.TitleIsManual && !src.TitleIsManual:
		src.NextFetchAt = &now
	case src.FetchInterval != before.FetchInterval && src.LastFetchedAt != nil:
		// The next fetch plans by the default interval, should that be asked for.
		next := now
		if src.FetchInterval > 0 {
			next = src.LastFetchedAt.Add(src.FetchInterval)
		}
		src.NextFetchAt = &next
	}
}

// Delete removes a source and its content. CodeNotFound;
// CodePreconditionFailed.
func (s *Sources) Delete(ctx context.Context, id string, ifVersion *int64) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		src, err := tx.Source(ctx, id)
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != src.Version {
			return kgl.Errorf(kgl.CodePreconditionFailed, "the source was changed meanwhile; read it again")
		}
		if err := tx.DeleteSource(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, tx, kgl.EventSourceDeleted, "source.delete", id, map[string]any{"url": src.URL})
	})
}

// Refresh makes a source due now and returns when that was asked for. One that
// is gone is asked once: it is fetched on schedule again if it answers with a
// feed, and stays as it is if not. CodeNotFound; CodeConflict: the source is
// paused.
func (s *Sources) Refresh(ctx context.Context, id string) (time.Time, error) {
	now := s.clock.Now()
	err := s.store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error {
		if err := tx.RequestFetch(ctx, id, now); err != nil {
			return err
		}
		_, err := tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, "source.refresh", "source", id, kgl.AuditSuccess, nil))
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	s.store.AfterCommit(ctx, s.wake)
	return now, nil
}

// Export writes the sources that a filter finds as an OPML list, by title, with
// their tags as categories. Nothing that is secret is in it but what stands in
// the URLs themselves.
func (s *Sources) Export(ctx context.Context, w io.Writer, f kgl.SourceFilter) error {
	var list []feed.Subscription
	f.Tag = normalTag(f.Tag)
	for page := (kgl.Page{Limit: exportPage}); ; {
		rows, err := s.store.Sources(ctx, f, kgl.SourceByTitle, page)
		if err != nil {
			return err
		}
		for _, src := range rows.Rows {
			list = append(list, feed.Subscription{Title: src.Title, FeedURL: src.URL, SiteURL: src.SiteURL, Categories: src.Tags})
		}
		if page.After = rows.Next; page.After == nil {
			return feed.WriteOPML(w, "Sources of the KGL backend", s.clock.Now(), list)
		}
	}
}

// exportPage is how many sources are read at a time.
const exportPage = 1000

// Fetches returns a page of the fetch history, of those with one of the
// outcomes if any are given. CodeNotFound: no such source.
func (s *Sources) Fetches(ctx context.Context, id string, p kgl.Page, outcomes ...kgl.FetchOutcome) (kgl.List[kgl.Fetch], error) {
	if _, err := s.store.Source(ctx, id); err != nil {
		return kgl.List[kgl.Fetch]{}, err
	}
	return s.store.Fetches(ctx, id, p, outcomes...)
}

func (s *Sources) record(ctx context.Context, tx kgl.Store, event kgl.EventType, action, id string, details map[string]any) error {
	if err := tx.AppendEvents(ctx, []kgl.Event{kgl.NewEvent(s.ids, s.clock, event, "source", id, details)}); err != nil {
		return err
	}
	_, err := tx.AppendAudit(ctx, kgl.NewAuditEvent(ctx, s.ids, s.clock, action, "source", id, kgl.AuditSuccess, details))
	return err
}

func changedFields(a, b kgl.Source) []string {
	var names []string
	add := func(name string, differs bool) {
		if differs {
			names = append(names, name)
		}
	}
	add("url", a.URL != b.URL)
	add("title", a.Title != b.Title || a.TitleIsManual != b.TitleIsManual)
	add("status", a.Status != b.Status)
	add("fetch_interval_seconds", a.FetchInterval != b.FetchInterval)
	add("tags", !slices.Equal(a.Tags, b.Tags))
	add("retention", a.Settings.MaxItems != b.Settings.MaxItems || a.Settings.MaxAgeDays != b.Settings.MaxAgeDays)
	// What is sealed differs each time, also for the same values.
	add("credentials", a.Secrets != b.Secrets)
	return names
}

func sameURL(err error) error {
	return &kgl.Error{
		Code: kgl.CodeConflict, Message: "a source with this URL exists already",
		Fields: []kgl.FieldError{{Field: "url", Message: "is watched by another source"}}, Err: err,
	}
}
