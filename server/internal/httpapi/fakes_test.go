package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/discover"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

const (
	testUserID     = "0198c6f0-0000-7000-8000-000000000001"
	testSourceID   = "0198c6f0-0000-7000-8000-000000000002"
	testContentID  = "0198c6f0-0000-7000-8000-000000000003"
	testEntityID   = "0198c6f0-0000-7000-8000-000000000004"
	testRelationID = "0198c6f0-0000-7000-8000-000000000006"
)

var testTime = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// fault makes the fakes fail: with err, or with a panic when it says so.
type fault struct{ err error }

var errPanic = errors.New("panic in a service")

func (f *fault) check() error {
	if f.err == errPanic {
		panic("service secret-in-panic")
	}
	return f.err
}

// result returns v, or what the fault says.
func result[T any](f *fault, v T) (T, error) {
	if err := f.check(); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

func one[T any](row T) kgl.List[T] {
	return kgl.List[T]{Rows: []T{row}, Next: &kgl.Position{Int: 7, Text: "a", ID: testSourceID}}
}

// tokens maps access tokens to principals.
type tokens map[string]kgl.Principal

func (t tokens) Authenticate(_ context.Context, token string) (kgl.Principal, error) {
	p, ok := t[token]
	if !ok {
		return kgl.Principal{}, kgl.Errorf(kgl.CodeUnauthenticated, "the access token is missing, expired or not valid")
	}
	return p, nil
}

func testUser() kgl.User {
	return kgl.User{
		ID: testUserID, Email: "ada@example.org", Name: "Ada", Role: kgl.RoleAdmin, Status: kgl.UserActive,
		PasswordHash: "secret-hash", Version: 3, CreatedAt: testTime, UpdatedAt: testTime,
	}
}

type logins struct {
	*fault
	credentials []auth.Credentials
	clients     []auth.Client
}

func (l *logins) set() auth.TokenSet {
	return auth.TokenSet{AccessToken: "at", RefreshToken: "rt", ExpiresIn: 15 * time.Minute, Scopes: []string{"profile"}, User: testUser()}
}

func (l *logins) Login(_ context.Context, c auth.Credentials, from auth.Client) (auth.TokenSet, error) {
	l.credentials, l.clients = append(l.credentials, c), append(l.clients, from)
	if c.Scope == "everything" {
		return auth.TokenSet{}, kgl.Invalid("scope", "exceeds the role")
	}
	if c.Password == "wrong" {
		return auth.TokenSet{}, kgl.Errorf(kgl.CodeInvalidCredentials, "wrong email or password")
	}
	return result(l.fault, l.set())
}

func (l *logins) Refresh(context.Context, string, string) (auth.TokenSet, error) {
	return result(l.fault, l.set())
}

func (l *logins) Logout(context.Context, kgl.Principal, string) error { return l.check() }

func (l *logins) JWKS() ([]byte, error) {
	return result(l.fault, []byte(`{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"k1","n":"AQAB","e":"AQAB"}]}`))
}

type users struct {
	*fault
	prepared []bool // for each account that was prepared, whether in a transaction
	patch    auth.UserPatch
	version  int64
}

func (u *users) Prepare(ctx context.Context, _ auth.NewUser) (kgl.User, error) {
	u.prepared = append(u.prepared, ctx.Value(inTransaction{}) != nil)
	return testUser(), nil
}
func (u *users) CreatePrepared(context.Context, kgl.User) error { return u.check() }
func (u *users) Get(context.Context, string) (kgl.User, error)  { return result(u.fault, testUser()) }
func (u *users) List(context.Context, kgl.UserFilter, kgl.Page) (kgl.List[kgl.User], error) {
	return result(u.fault, one(testUser()))
}
func (u *users) Update(_ context.Context, _ string, version int64, p auth.UserPatch) (kgl.User, error) {
	u.patch, u.version = p, version
	return result(u.fault, testUser())
}
func (u *users) Delete(context.Context, string, int64) error                  { return u.check() }
func (u *users) ChangePassword(context.Context, string, string, string) error { return u.check() }

type sources struct {
	*fault
	created []ingest.NewSource
	patch   ingest.SourcePatch
	filter  kgl.SourceFilter
	page    kgl.Page
	bulk    []bulkCall
}

func testSource() kgl.Source {
	return kgl.Source{
		ID: testSourceID, URL: "https://blog.example.org/feed.xml", Host: "blog.example.org", Title: "Blog", Status: kgl.SourceActive,
		Health:  kgl.HealthOK,
		Version: 3, CreatedAt: testTime, UpdatedAt: testTime,
	}
}

func (s *sources) Create(_ context.Context, n ingest.NewSource) (kgl.Source, error) {
	s.created = append(s.created, n)
	return result(s.fault, testSource())
}
func (s *sources) Get(_ context.Context, id string) (kgl.Source, error) {
	if id != testSourceID {
		return kgl.Source{}, kgl.NotFound("source")
	}
	return result(s.fault, testSource())
}
func (s *sources) List(_ context.Context, f kgl.SourceFilter, _ kgl.SourceSort, p kgl.Page) (kgl.List[kgl.Source], error) {
	s.filter, s.page = f, p
	return result(s.fault, one(testSource()))
}
func (s *sources) ContentCounts(context.Context, []string) (map[string]int64, error) {
	return result(s.fault, map[string]int64{testSourceID: 42})
}
func (s *sources) Patch(_ context.Context, _ string, p ingest.SourcePatch) (kgl.Source, error) {
	s.patch = p
	if p.IfVersion != nil && *p.IfVersion != testSource().Version {
		return kgl.Source{}, kgl.Errorf(kgl.CodePreconditionFailed, "the source was changed meanwhile")
	}
	return result(s.fault, testSource())
}
func (s *sources) Delete(context.Context, string, *int64) error { return s.check() }
func (s *sources) Refresh(context.Context, string) (time.Time, error) {
	return result(s.fault, testTime)
}
func (s *sources) Fetches(context.Context, string, kgl.Page, ...kgl.FetchOutcome) (kgl.List[kgl.Fetch], error) {
	return result(s.fault, one(kgl.Fetch{ID: testUserID, SourceID: testSourceID, StartedAt: testTime, Outcome: kgl.FetchFailed, ErrorCode: "timeout", Error: "no answer"}))
}

func (s *sources) Tags(context.Context, kgl.Page) (kgl.List[kgl.TagCount], error) {
	return result(s.fault, one(kgl.TagCount{Tag: "grants", Count: 2}))
}
func (s *sources) Bulk(_ context.Context, which ingest.BulkSelect, what ingest.BulkAction, dryRun bool) (ingest.BulkResult, error) {
	s.bulk = append(s.bulk, bulkCall{which, what, dryRun})
	return result(s.fault, ingest.BulkResult{
		Matched: 2, Changed: 1, Failures: []ingest.BulkFailure{{SourceID: testSourceID, Code: kgl.CodeConflict, Message: "it is gone"}},
		Next: &kgl.Position{Int: 7, ID: testSourceID},
	})
}
func (s *sources) Export(_ context.Context, w io.Writer, f kgl.SourceFilter) error {
	s.filter = f
	if err := s.check(); err != nil {
		return err
	}
	_, err := io.WriteString(w, `<opml version="2.0"/>`)
	return err
}

// bulkCall is a bulk edit as the service got it.
type bulkCall struct {
	which  ingest.BulkSelect
	what   ingest.BulkAction
	dryRun bool
}

type imports struct {
	*fault
	started  []ingest.NewImport
	outcomes []kgl.LineOutcome
}

func testImport() kgl.SourceImport {
	return kgl.SourceImport{ID: testSourceID, State: kgl.ImportRunning, Tags: []string{"x"}, Total: 2, Processed: 1, Added: 1, CreatedAt: testTime, StartedAt: &testTime}
}

func (i *imports) Start(_ context.Context, n ingest.NewImport) (kgl.SourceImport, error) {
	i.started = append(i.started, n)
	return result(i.fault, testImport())
}
func (i *imports) Get(context.Context, string) (kgl.SourceImport, error) {
	return result(i.fault, testImport())
}
func (i *imports) List(context.Context, kgl.Page) (kgl.List[kgl.SourceImport], error) {
	return result(i.fault, one(testImport()))
}
func (i *imports) Lines(_ context.Context, _ string, outcomes []kgl.LineOutcome, _ kgl.Page) (kgl.List[kgl.ImportLine], error) {
	i.outcomes = outcomes
	return result(i.fault, one(kgl.ImportLine{Position: 1, Line: 4, URL: "https://e.example/f", Outcome: kgl.LineFailed, ErrorCode: "invalid_request", Message: "no"}))
}
func (i *imports) Cancel(context.Context, string) error { return i.check() }

type probe struct {
	*fault
	url         string
	credentials outbound.Credentials
}

func (p *probe) Discover(_ context.Context, url string) (ingest.Discovery, error) {
	p.url = url
	return result(p.fault, ingest.Discovery{
		URL: url, FinalURL: url, HTTPStatus: 200, Title: "A page", Requests: 3, Complete: true,
		Feeds: []ingest.FoundFeed{
			{URL: "https://e.example/f", Title: "F", Method: discover.MethodLink, Verified: true, Format: "rss", Items: 2, NewestAt: &testTime, SourceID: testSourceID},
			{URL: "https://e.example/g", Method: discover.MethodPlatform, Rule: "youtube_channel", Outcome: ingest.Outcome{Code: kgl.CodeTimeout, Message: "no time"}},
		},
	})
}
func (p *probe) Test(_ context.Context, url string, c outbound.Credentials) (ingest.Preview, error) {
	p.url, p.credentials = url, c
	doc := &feed.Document{
		Feed: feed.Meta{Title: "F", Format: feed.FormatRSS, Version: "2.0"}, Repaired: true,
		Warnings: []feed.Warning{{Code: feed.WarnCharset, Message: "one byte"}}, Stages: []feed.Stage{{Name: feed.StageDecode, Mended: true}},
		Items: []feed.Item{{Title: "I", URL: "https://e.example/1", IdentityKind: feed.IdentityGUID, PublishedInferred: true, PublishedAtSource: feed.PublishedFetched}},
	}
	return result(p.fault, ingest.Preview{
		URL: url, HTTPStatus: 200, FinalURL: url, Redirects: []outbound.Redirect{{Status: 301, From: url, To: url}}, Feed: doc, Items: doc.Items,
		Next: &ingest.Plan{FetchDecision: kgl.FetchDecision{Rule: ingest.RuleDefault, Reason: "r", Interval: 3600, At: testTime}, Next: &testTime},
	})
}

type contents struct {
	*fault
	filter   kgl.ContentFilter
	withBody bool
}

func testContent() kgl.Content {
	return kgl.Content{
		ID: testContentID, SourceID: testSourceID, Status: kgl.ContentNew, Revision: 1, Version: 1, FetchedAt: testTime, UpdatedAt: testTime,
		ContentBody: kgl.ContentBody{Title: "T", HTML: "<p>x</p>", Text: "x", PublishedAt: testTime, Authors: []kgl.Author{{Name: "Ada"}}, Enclosures: []kgl.Enclosure{{URL: "https://e.example/a.mp3"}}},
	}
}

func (c *contents) Content(context.Context, string) (kgl.Content, error) {
	return result(c.fault, testContent())
}
func (c *contents) Contents(_ context.Context, f kgl.ContentFilter, _ kgl.ContentSort, withBody bool, _ kgl.Page) (kgl.List[kgl.Content], error) {
	c.filter, c.withBody = f, withBody
	return result(c.fault, one(testContent()))
}
func (c *contents) ContentRevisions(context.Context, string, kgl.Page) (kgl.List[kgl.ContentRevision], error) {
	return result(c.fault, one(kgl.ContentRevision{ContentID: testContentID, Revision: 1, ContentBody: testContent().ContentBody, RecordedAt: testTime}))
}
func (c *contents) Duplicates(context.Context, string, kgl.Page) (kgl.List[kgl.DuplicateLink], error) {
	return result(c.fault, one(kgl.DuplicateLink{ContentID: testContentID, DuplicateOf: testEntityID, Reason: kgl.DuplicateSameText, Score: 1, CreatedAt: testTime}))
}
func (c *contents) DeleteContent(context.Context, string, *int64) error { return c.check() }
func (c *contents) TakeApart(context.Context, string) error             { return c.check() }
func (c *contents) LinkByHand(_ context.Context, id, duplicateOf string) (kgl.DuplicateLink, error) {
	return result(c.fault, kgl.DuplicateLink{ContentID: id, DuplicateOf: duplicateOf, Reason: kgl.DuplicateManual, Score: 1, CreatedBy: testUserID, CreatedAt: testTime})
}

type entities struct {
	*fault
	created []graph.NewEntity
	patch   graph.EntityPatch

	resolved   []graph.Name
	edgeFilter kgl.EntityRelationshipFilter
	edgeSort   kgl.RelationshipSort
}

func testBrief() kgl.ContentBrief {
	return kgl.ContentBrief{ID: testContentID, SourceID: testSourceID, Title: "Title", URL: "https://a.test/1", PublishedAt: testTime}
}

func testMention() kgl.Mention {
	return kgl.Mention{ID: testUserID, Start: 1, End: 2, Quote: "x", Type: "grant", Revision: 1, Confidence: 1, Extractor: "mock", CreatedAt: testTime}
}

func testMatch() graph.Match {
	return graph.Match{Entity: testEntity().Summary(), Score: .9, Kind: graph.MatchAlias, Matched: "OCF"}
}

func testEntity() kgl.Entity {
	return kgl.Entity{
		ID: testEntityID, Name: "Fund", Type: "grant", Confidence: .9, Extractor: "mock", Version: 3, Status: kgl.EntityActive,
		Attributes: json.RawMessage(`{"amount":12345678901234567890}`), CreatedAt: testTime, UpdatedAt: testTime,
	}
}

func testRelationship() kgl.Relationship {
	return kgl.Relationship{
		ID: testRelationID, From: kgl.EntityRef{ID: testEntityID, Name: "a", Type: "grant"}, To: kgl.EntityRef{ID: testUserID, Name: "b", Type: "person"},
		Type: "offers", Confidence: .5, Extractor: "mock", EvidenceCount: 1, Weight: .5, Status: kgl.RelationshipActive, ValidFrom: "2026-11", Version: 1, CreatedAt: testTime, UpdatedAt: testTime,
	}
}

func (e *entities) Create(_ context.Context, n graph.NewEntity) (kgl.Entity, error) {
	e.created = append(e.created, n)
	return result(e.fault, testEntity())
}
func (e *entities) Get(context.Context, string, bool) (kgl.Entity, error) {
	return result(e.fault, testEntity())
}
func (e *entities) Aliases(context.Context, string, kgl.Page) (kgl.List[kgl.Alias], error) {
	return result(e.fault, one(kgl.Alias{EntityID: testEntityID, Alias: "OCF", Source: "manual"}))
}
func (e *entities) AddAlias(_ context.Context, id, alias, language string) (kgl.Alias, error) {
	return result(e.fault, kgl.Alias{EntityID: id, Alias: alias, Language: language, Source: "manual"})
}
func (e *entities) RemoveAlias(context.Context, string, string) error { return e.check() }
func (e *entities) Mentions(context.Context, string, float64, kgl.Page) (kgl.List[kgl.EntityMention], error) {
	return result(e.fault, one(kgl.EntityMention{Content: testBrief(), Mention: testMention()}))
}
func (e *entities) Contents(context.Context, string, kgl.Page) (kgl.List[kgl.EntityContent], error) {
	return result(e.fault, one(kgl.EntityContent{Content: testBrief(), MentionCount: 2}))
}
func (e *entities) Suggest(context.Context, string, []string, int) ([]graph.Match, error) {
	return result(e.fault, []graph.Match{testMatch()})
}
func (e *entities) Resolve(_ context.Context, names []graph.Name, _ int, _ float64) ([][]graph.Match, error) {
	e.resolved = names
	return result(e.fault, slices.Repeat([][]graph.Match{{testMatch()}}, len(names)))
}
func (e *entities) List(context.Context, kgl.EntityFilter, kgl.EntitySort, kgl.Page) (kgl.List[kgl.Entity], error) {
	return result(e.fault, one(testEntity()))
}
func (e *entities) Update(_ context.Context, _ string, p graph.EntityPatch) (kgl.Entity, error) {
	e.patch = p
	return result(e.fault, testEntity())
}
func (e *entities) Delete(context.Context, string, *int64) error { return e.check() }
func (e *entities) Relationships(_ context.Context, _ string, f kgl.EntityRelationshipFilter, sort kgl.RelationshipSort, _ kgl.Page) (kgl.List[kgl.Relationship], error) {
	e.edgeFilter, e.edgeSort = f, sort
	return result(e.fault, one(testRelationship()))
}
func (e *entities) OfContent(context.Context, string, kgl.Page) (kgl.List[kgl.EntityMentions], error) {
	return result(e.fault, one(kgl.EntityMentions{Entity: testEntity(), Mentions: []kgl.Mention{testMention()}}))
}

type reports struct {
	*fault
	audit []kgl.AuditEvent
}

func (r *reports) Dashboard(_ context.Context, now time.Time) (kgl.Dashboard, error) {
	return result(r.fault, kgl.Dashboard{GeneratedAt: now})
}
func (r *reports) AuditEvents(context.Context, kgl.AuditFilter, kgl.Page) (kgl.List[kgl.AuditEvent], error) {
	return result(r.fault, one(kgl.AuditEvent{ID: testUserID, Seq: 1, At: testTime, ActorType: kgl.PrincipalSystem, Action: "a.b", SubjectType: "x", Outcome: kgl.AuditSuccess, Hash: "h"}))
}
func (r *reports) AppendAudit(_ context.Context, e kgl.AuditEvent) (kgl.AuditEvent, error) {
	r.audit = append(r.audit, e)
	return e, nil
}

// keyStore is a store of idempotency keys in memory; transactions run one at a
// time and roll back.
type keyStore struct {
	kgl.Store
	records map[string]kgl.IdempotencyRecord
	reruns  int // how often each transaction is run again before it counts
}

// inTransaction marks the context of a transaction.
type inTransaction struct{}

func (k *keyStore) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	for i := 0; ; i++ {
		err := k.once(ctx, i >= k.reruns, fn)
		if err != nil || i >= k.reruns {
			return err
		}
	}
}

func (k *keyStore) once(ctx context.Context, commit bool, fn func(context.Context, kgl.Store) error) error {
	before, done := maps.Clone(k.records), false
	defer func() {
		if !done {
			k.records = before
		}
	}()
	err := fn(context.WithValue(ctx, inTransaction{}, true), k)
	done = err == nil && commit
	return err
}

func (k *keyStore) ReserveIdempotencyKey(_ context.Context, r kgl.IdempotencyRecord, now time.Time) (kgl.IdempotencyRecord, bool, error) {
	if stored, ok := k.records[r.Principal+r.Key]; ok && stored.ExpiresAt.After(now) {
		return stored, false, nil
	}
	k.records[r.Principal+r.Key] = r
	return r, true, nil
}

func (k *keyStore) CompleteIdempotencyKey(_ context.Context, r kgl.IdempotencyRecord) error {
	r.Body = append([]byte(nil), r.Body...)
	k.records[r.Principal+r.Key] = r
	return nil
}
