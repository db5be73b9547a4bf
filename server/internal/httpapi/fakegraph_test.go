package httpapi

import (
	"context"

	"github.com/peermesh/kgl-backend/server/internal/graph"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

type relationships struct {
	*fault
	created []graph.NewRelationship
	patch   graph.RelationshipPatch
	filter  kgl.RelationshipFilter
	sort    kgl.RelationshipSort
}

func testEvidence() kgl.Evidence {
	return kgl.Evidence{ID: testUserID, ContentID: testContentID, Revision: 1, End: 1, Quote: "q", Confidence: 1, Extractor: "mock", CreatedAt: testTime}
}

func (r *relationships) Create(_ context.Context, n graph.NewRelationship) (kgl.Relationship, error) {
	r.created = append(r.created, n)
	return result(r.fault, testRelationship())
}
func (r *relationships) Get(context.Context, string) (graph.RelationshipDetail, error) {
	return result(r.fault, graph.RelationshipDetail{Relationship: testRelationship(), Evidence: []kgl.Evidence{testEvidence()}})
}
func (r *relationships) List(_ context.Context, f kgl.RelationshipFilter, sort kgl.RelationshipSort, _ kgl.Page) (kgl.List[kgl.Relationship], error) {
	r.filter, r.sort = f, sort
	return result(r.fault, one(testRelationship()))
}
func (r *relationships) Evidence(context.Context, string, kgl.Page) (kgl.List[kgl.Evidence], error) {
	return result(r.fault, one(testEvidence()))
}
func (r *relationships) Update(_ context.Context, _ string, p graph.RelationshipPatch) (kgl.Relationship, error) {
	r.patch = p
	return result(r.fault, testRelationship())
}
func (r *relationships) Delete(context.Context, string, *int64) error { return r.check() }

type merges struct {
	*fault
	reasons []string
}

func testMerge() kgl.EntityMerge {
	return kgl.EntityMerge{
		ID: testUserID, Winner: kgl.EntityRef{ID: testEntityID, Name: "a", Type: "grant"},
		Losers: []kgl.EntityRef{{ID: testContentID, Name: "b", Type: "grant"}}, Reason: "same", Actor: testUserID, Mentions: 2, CreatedAt: testTime,
	}
}

func (m *merges) Merge(_ context.Context, _ string, _ []string, reason string) (kgl.EntityMerge, error) {
	m.reasons = append(m.reasons, reason)
	return result(m.fault, testMerge())
}
func (m *merges) Undo(context.Context, string, string) (kgl.EntityMerge, error) {
	done := testMerge()
	done.UndoneAt, done.UndoneBy = &done.CreatedAt, testUserID
	return result(m.fault, done)
}
func (m *merges) List(context.Context, string, kgl.Page) (kgl.List[kgl.EntityMerge], error) {
	return result(m.fault, one(testMerge()))
}
