package httpapi

import (
	"encoding/json"
	"time"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// convertAll converts each row of a list. The result is never nil: an empty
// list is [] in JSON.
func convertAll[From, To any](rows []From, convert func(From) To) []To {
	out := make([]To, len(rows))
	for i, row := range rows {
		out[i] = convert(row)
	}
	return out
}

// cleared returns what a nullable field of a PATCH asks for: nil to keep the
// value, the zero value to clear it, else the new value.
func cleared[T any](field nullable.Nullable[T]) *T {
	if !field.IsSpecified() {
		return nil
	}
	var value T
	if !field.IsNull() {
		value = field.MustGet()
	}
	return &value
}

// textOrNull returns null for an empty text.
func textOrNull(text string) nullable.Nullable[string] { return unlessZero(text) }

// unlessZero returns null for the zero value.
func unlessZero[T comparable](v T) nullable.Nullable[T] {
	var zero T
	if v == zero {
		return nullable.NewNullNullable[T]()
	}
	return nullable.NewNullableWithValue(v)
}

// idOrNull returns null for nil.
func idOrNull(id *string) nullable.Nullable[string] {
	if id == nil {
		return nullable.NewNullNullable[string]()
	}
	return nullable.NewNullableWithValue(*id)
}

// timeOrNull returns null for nil.
func timeOrNull(t *time.Time) nullable.Nullable[time.Time] {
	if t == nil {
		return nullable.NewNullNullable[time.Time]()
	}
	return nullable.NewNullableWithValue(t.UTC())
}

// notNil returns an empty slice for nil, which would be null in JSON.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// objectOr returns a JSON object as the store keeps it, {} when there is none.
func objectOr(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage(`{}`)
	}
	return raw
}

func toUser(u kgl.User) api.User {
	return api.User{
		ID: u.ID, Email: u.Email, Name: u.Name, Role: api.Role(u.Role), Status: api.UserStatus(u.Status),
		LastLoginAt: timeOrNull(u.LastLoginAt), CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

// toSource converts a source; contentCount is the number of its items.
func toSource(s kgl.Source, contentCount int64) api.Source {
	out := api.Source{
		ID: s.ID, URL: s.URL, Title: s.Title, Description: s.Description, SiteURL: textOrNull(s.SiteURL),
		Format: textOrNull(s.Format), Language: textOrNull(s.Language),
		Status: api.SourceStatus(s.Status), Host: s.Host, Tags: notNil(s.Tags),
		FetchIntervalSeconds: unlessZero(int(s.FetchInterval / time.Second)),
		NextFetchAt:          timeOrNull(s.NextFetchAt), LastFetchedAt: timeOrNull(s.LastFetchedAt),
		LastSuccessAt: timeOrNull(s.LastSuccessAt), ConsecutiveFailures: int(s.ConsecutiveFailures),
		LastError: nullable.NewNullNullable[api.SourceError](), ContentCount: int(contentCount),
		CreatedBy: textOrNull(s.CreatedBy), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Health:   toHealth(s),
		Schedule: toDecision(s.State.Decision), Redirect: toRedirect(s.State.Redirect), FormerUrls: notNil(s.State.FormerURLs),
		Retention:          api.Retention{MaxItems: unlessZero(s.Settings.MaxItems), MaxAgeDays: unlessZero(s.Settings.MaxAgeDays)},
		RequestHeaderNames: notNil(s.Settings.HeaderNames), Authentication: toAuthentication(s.Settings.Username),
		Consents: api.SourceConsents{AiProcessing: toConsent(s.Consents.AIProcessing), Publication: toConsent(s.Consents.Publication)},
		Repaired: s.State.Repaired, FeedWarnings: convertAll(s.State.Warnings, toWarning),
	}
	if s.LastErrorCode != "" && s.LastErrorAt != nil {
		out.LastError = nullable.NewNullableWithValue(api.SourceError{Code: s.LastErrorCode, Message: s.LastError, At: s.LastErrorAt.UTC()})
	}
	return out
}

func toConsent(c kgl.Consent) api.Consent {
	return api.Consent{Allowed: c.Allowed, DecidedAt: timeOrNull(c.DecidedAt), DecidedBy: textOrNull(c.DecidedBy)}
}

func toFetch(f kgl.Fetch) api.Fetch {
	return api.Fetch{
		ID: f.ID, SourceID: f.SourceID, StartedAt: f.StartedAt, DurationMs: f.Duration.Milliseconds(),
		Outcome: api.FetchOutcome(f.Outcome), HTTPStatus: unlessZero(int(f.HTTPStatus)), Bytes: f.Bytes,
		ItemsSeen: int(f.ItemsSeen), ItemsCreated: int(f.ItemsCreated), ItemsUpdated: int(f.ItemsUpdated),
		ItemsFailed: int(f.ItemsFailed), ErrorCode: textOrNull(f.ErrorCode), Error: textOrNull(f.Error),
		Warnings: convertAll(f.Warnings, toWarning), Trigger: textOrNull(f.Details.Trigger),
		FinalURL: textOrNull(f.Details.FinalURL), Redirects: f.Details.Redirects, ItemsRepaired: f.Details.ItemsRepaired,
		Next: toDecision(f.Details.Next), NextFetchAt: timeOrNull(f.Details.NextAt),
	}
}

func toWarning(w kgl.Warning) api.Warning { return api.Warning{Code: w.Code, Message: w.Message} }

func toDecision(d *kgl.FetchDecision) nullable.Nullable[api.FetchDecision] {
	if d == nil {
		return nullable.NewNullNullable[api.FetchDecision]()
	}
	return nullable.NewNullableWithValue(api.FetchDecision{
		Rule: d.Rule, Reason: d.Reason, IntervalSeconds: unlessZero(d.Interval), DecidedAt: d.At.UTC(),
	})
}

func toRedirect(r *kgl.PermanentRedirect) nullable.Nullable[api.PendingRedirect] {
	if r == nil {
		return nullable.NewNullNullable[api.PendingRedirect]()
	}
	return nullable.NewNullableWithValue(api.PendingRedirect{URL: r.URL, Since: r.Since.UTC(), Fetches: r.Fetches, Obstacle: textOrNull(r.Obstacle)})
}

func toAuthentication(username string) nullable.Nullable[api.SourceAuthentication] {
	if username == "" {
		return nullable.NewNullNullable[api.SourceAuthentication]()
	}
	return nullable.NewNullableWithValue(api.SourceAuthentication{Type: api.SourceAuthenticationTypeBasic, Username: username})
}

func toAuthor(a kgl.Author) api.Author { return api.Author{Name: a.Name, URL: textOrNull(a.URL)} }

func toRevision(r kgl.ContentRevision) api.Revision {
	return api.Revision{
		ContentID: r.ContentID, Revision: int(r.Revision), Title: r.Title, Summary: r.Summary, ContentHTML: r.HTML, ContentText: r.Text,
		URL: r.URL, Authors: convertAll(r.Authors, toAuthor), PublishedAt: r.PublishedAt, RecordedAt: r.RecordedAt, Changed: notNil(r.Changed),
	}
}

func toDuplicate(d kgl.DuplicateLink) api.Duplicate {
	return api.Duplicate{
		ContentID: d.ContentID, DuplicateOf: d.DuplicateOf, Reason: api.DuplicateReason(d.Reason), Score: d.Score,
		CreatedBy: textOrNull(d.CreatedBy), CreatedAt: d.CreatedAt,
	}
}

func toEntity(e kgl.Entity) api.Entity {
	return api.Entity{
		ID: e.ID, Name: e.Name, Type: e.Type, Description: e.Description, Aliases: notNil(e.Aliases), Attributes: objectOr(e.Attributes),
		Confidence: e.Confidence, Extractor: e.Extractor, MentionCount: int(e.MentionCount),
		Status: api.EntityStatus(e.Status), MergedInto: idOrNull(e.MergedInto), ExternalIds: convertAll(e.ExternalIDs, toExternalID),
		Degree: int(e.Degree), FirstSeenAt: timeOrNull(e.FirstSeenAt), LastSeenAt: timeOrNull(e.LastSeenAt),
		Version: int(e.Version), CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
}

func toExternalID(x kgl.ExternalID) api.ExternalID {
	return api.ExternalID{Scheme: x.Scheme, Value: x.Value}
}

func toMention(m kgl.Mention) api.Mention {
	return api.Mention{
		ID: m.ID, Start: int(m.Start), End: int(m.End), Unit: api.OffsetUnitCodePoint, Quote: m.Quote, Type: m.Type,
		Salience: unlessZero(m.Salience), Revision: int(m.Revision), Confidence: m.Confidence, Extractor: m.Extractor,
		RunID: idOrNull(m.RunID), CreatedAt: m.CreatedAt,
	}
}

func toContentEntity(e kgl.EntityMentions) api.ContentEntity {
	return api.ContentEntity{Entity: toEntity(e.Entity), Mentions: convertAll(e.Mentions, toMention)}
}

func toEntityRef(e kgl.EntityRef) api.EntityRef {
	return api.EntityRef{ID: e.ID, Name: e.Name, Type: e.Type}
}

func toRelationship(r kgl.Relationship) api.Relationship {
	return api.Relationship{
		ID: r.ID, From: toEntityRef(r.From), To: toEntityRef(r.To), Type: r.Type, Confidence: r.Confidence,
		Extractor: r.Extractor, EvidenceCount: int(r.EvidenceCount), Weight: r.Weight, Status: api.RelationshipStatus(r.Status),
		MergedInto: idOrNull(r.MergedInto), Fact: r.Fact, ValidFrom: textOrNull(r.ValidFrom), ValidTo: textOrNull(r.ValidTo),
		Version: int(r.Version), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
}

func toRelationshipDetail(r kgl.Relationship, evidence []kgl.Evidence) api.RelationshipDetail {
	short := toRelationship(r)
	return api.RelationshipDetail{
		ID: short.ID, From: short.From, To: short.To, Type: short.Type, Confidence: short.Confidence,
		Extractor: short.Extractor, EvidenceCount: short.EvidenceCount, Weight: short.Weight, Status: short.Status,
		MergedInto: short.MergedInto, Fact: short.Fact, ValidFrom: short.ValidFrom, ValidTo: short.ValidTo,
		Evidence: convertAll(evidence, toEvidence), Version: short.Version, CreatedAt: short.CreatedAt, UpdatedAt: short.UpdatedAt,
	}
}

func toEvidence(e kgl.Evidence) api.Evidence {
	return api.Evidence{
		ID: e.ID, ContentID: e.ContentID, Revision: int(e.Revision), Start: int(e.Start), End: int(e.End), Unit: api.OffsetUnitCodePoint,
		Quote: e.Quote, Confidence: e.Confidence, Extractor: e.Extractor, RunID: idOrNull(e.RunID), CreatedAt: e.CreatedAt,
	}
}

func toTypes(d kgl.DashboardTypes) api.DashboardTypes {
	return api.DashboardTypes{
		Total:  d.Total,
		ByType: convertAll(d.ByType, func(t kgl.TypeCount) api.TypeCount { return api.TypeCount{Type: t.Type, Count: t.Count} }),
	}
}

func toDashboard(d kgl.Dashboard) api.Dashboard {
	return api.Dashboard{
		GeneratedAt: d.GeneratedAt,
		Sources: api.DashboardSources{
			Total: d.Sources.Total, Active: d.Sources.Active, Paused: d.Sources.Paused, Failing: d.Sources.Failing,
			Gone: d.Sources.Gone, ByHealth: toHealthCounts(d.Sources.ByHealth), LastSuccessAt: timeOrNull(d.Sources.LastSuccessAt),
		},
		Content: api.DashboardContent{
			Total: d.Content.Total, New: d.Content.New, Processing: d.Content.Processing, Processed: d.Content.Processed,
			Failed: d.Content.Failed, Skipped: d.Content.Skipped, Duplicates: d.Content.Duplicates,
			Last24Hours: d.Content.Last24Hours, LatestPublishedAt: timeOrNull(d.Content.LatestPublishedAt),
		},
		Entities:      toTypes(d.Entities),
		Relationships: toTypes(d.Relationships),
	}
}

func toHealthCounts(n map[kgl.SourceHealth]int64) api.DashboardHealth {
	return api.DashboardHealth{
		Pending: n[kgl.HealthPending], OK: n[kgl.HealthOK], Quiet: n[kgl.HealthQuiet], Failing: n[kgl.HealthFailing],
		Throttled: n[kgl.HealthThrottled], Moved: n[kgl.HealthMoved], Gone: n[kgl.HealthGone],
	}
}

func toAuditEvent(e kgl.AuditEvent) api.AuditEvent {
	return api.AuditEvent{
		ID: e.ID, Seq: e.Seq, At: e.At, Actor: api.AuditParty{Type: string(e.ActorType), ID: textOrNull(e.ActorID)},
		Action: e.Action, Subject: api.AuditParty{Type: e.SubjectType, ID: textOrNull(e.SubjectID)},
		Outcome: api.AuditOutcome(e.Outcome), RequestID: textOrNull(e.RequestID), Address: textOrNull(e.Address),
		Details: objectOr(e.Details), Hash: e.Hash,
	}
}
