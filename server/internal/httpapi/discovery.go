package httpapi

import (
	"context"

	"github.com/oapi-codegen/nullable"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/feed"
	"github.com/peermesh/kgl-backend/server/internal/ingest"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// FeedProbe looks at URLs and stores nothing. An *ingest.Probe is one.
type FeedProbe interface {
	Discover(ctx context.Context, url string) (ingest.Discovery, error)
	Test(ctx context.Context, url string, credentials outbound.Credentials) (ingest.Preview, error)
}

// DiscoverFeeds finds the feeds of a page.
func (s *server) DiscoverFeeds(ctx context.Context, r api.DiscoverFeedsRequestObject) (api.DiscoverFeedsResponseObject, error) {
	found, err := s.Probe.Discover(ctx, r.Body.URL)
	if err != nil {
		return nil, err
	}
	out := api.Discovery{
		URL: found.URL, FinalURL: textOrNull(found.FinalURL), HTTPStatus: unlessZero(found.HTTPStatus), Title: found.Title,
		Feeds: make([]api.FoundFeed, len(found.Feeds)), Requests: found.Requests, Complete: found.Complete, Error: toLookError(found.Outcome),
	}
	for i, f := range found.Feeds {
		out.Feeds[i] = api.FoundFeed{
			Rank: i + 1, URL: f.URL, Title: f.Title, Format: textOrNull(f.Format), Method: api.FoundFeedMethod(f.Method), Rule: textOrNull(f.Rule),
			Verified: f.Verified, Items: f.Items, NewestItemAt: timeOrNull(f.NewestAt), SourceID: textOrNull(f.SourceID), Error: toLookError(f.Outcome),
		}
	}
	return api.DiscoverFeeds200JSONResponse(out), nil
}

// TestSource tries a feed.
func (s *server) TestSource(ctx context.Context, r api.TestSourceRequestObject) (api.TestSourceResponseObject, error) {
	p, err := s.Probe.Test(ctx, r.Body.URL, credentialsOf(r.Body.RequestHeaders, r.Body.Authentication))
	if err != nil {
		return nil, err
	}
	out := api.SourceTest{
		URL: p.URL, SourceID: textOrNull(p.SourceID), HTTPStatus: unlessZero(p.HTTPStatus), FinalURL: textOrNull(p.FinalURL),
		PermanentURL: textOrNull(p.PermanentURL), ContentType: textOrNull(p.ContentType), DurationMs: p.Duration.Milliseconds(), Bytes: p.Bytes, Cut: p.Cut,
		Redirects: convertAll(p.Redirects, func(hop outbound.Redirect) api.RedirectHop {
			return api.RedirectHop{Status: hop.Status, From: hop.From, To: hop.To}
		}),
		Feed: toTestedFeed(p.Feed), Items: convertAll(p.Items, toTestedItem), Error: toLookError(p.Outcome),
	}
	out.Next = nullable.NewNullNullable[api.FetchDecision]()
	out.NextFetchAt = timeOrNull(nil)
	if p.Next != nil {
		out.Next, out.NextFetchAt = toDecision(&p.Next.FetchDecision), timeOrNull(p.Next.Next)
	}
	return api.TestSource200JSONResponse(out), nil
}

func toLookError(o ingest.Outcome) nullable.Nullable[api.LookError] {
	return unlessZero(api.LookError{Code: string(o.Code), Message: o.Message})
}

func toTestedFeed(doc *feed.Document) nullable.Nullable[api.TestedFeed] {
	if doc == nil {
		return nullable.NewNullNullable[api.TestedFeed]()
	}
	return nullable.NewNullableWithValue(api.TestedFeed{
		Format: string(doc.Feed.Format), Version: doc.Feed.Version, Title: doc.Feed.Title, Description: doc.Feed.Description,
		SiteURL: textOrNull(doc.Feed.Link), SelfURL: textOrNull(doc.Feed.SelfURL), Language: textOrNull(doc.Feed.Language),
		Items: len(doc.Items), ItemsSkipped: doc.Skipped, Repaired: doc.Repaired, Warnings: toFeedWarnings(doc.Warnings),
		Stages: convertAll(doc.Stages, func(stage feed.Stage) api.ReadStage {
			return api.ReadStage{Name: string(stage.Name), Mended: stage.Mended, Warnings: toFeedWarnings(stage.Warnings)}
		}),
	})
}

func toTestedItem(item feed.Item) api.TestedItem {
	out := api.TestedItem{
		Title: item.Title, URL: textOrNull(item.URL), PublishedAt: timeOrNull(&item.PublishedAt), PublishedAtSource: string(item.PublishedAtSource),
		IdentityKind: api.TestedItemIdentityKind(item.IdentityKind), GUID: textOrNull(item.GUID), Warnings: toFeedWarnings(item.Warnings),
	}
	if item.PublishedInferred {
		out.PublishedAt = timeOrNull(nil)
	}
	return out
}

func toFeedWarnings(list []feed.Warning) []api.Warning {
	return convertAll(list, func(w feed.Warning) api.Warning { return api.Warning{Code: string(w.Code), Message: w.Message} })
}

// credentialsOf returns what a request says to send to a feed's server.
func credentialsOf(headers nullable.Nullable[api.RequestHeaders], authentication nullable.Nullable[api.BasicAuthentication]) outbound.Credentials {
	var c outbound.Credentials
	if given := cleared(headers); given != nil {
		c.Header = ingest.Header(*given)
	}
	if basic := cleared(authentication); basic != nil {
		c.User, c.Password = basic.Username, basic.Password
	}
	return c
}
