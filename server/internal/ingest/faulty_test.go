package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// faults lets calls of the store fail, and counts those that write.
type faults struct {
	mu     sync.Mutex
	writes map[string]int
	looked map[string]int                   // calls that look for items
	before func(call string, arg any) error // may panic
}

func (f *faults) call(name string, arg any) error {
	f.mu.Lock()
	if f.writes == nil {
		f.writes = map[string]int{}
	}
	f.writes[name]++
	before := f.before
	f.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(name, arg)
}

// reads is call for what does not write.
func (f *faults) reads(name string, arg any) error {
	f.mu.Lock()
	before := f.before
	f.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(name, arg)
}

// countRead counts a look for items.
func (f *faults) countRead(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.looked == nil {
		f.looked = map[string]int{}
	}
	f.looked[name]++
}

// reset forgets the counted calls.
func (f *faults) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.looked = nil, nil
}

// faulty is a store with faults.
type faulty struct {
	kgl.Store
	f *faults
}

func (s faulty) InTx(ctx context.Context, fn func(context.Context, kgl.Store) error) error {
	return s.Store.InTx(ctx, func(ctx context.Context, tx kgl.Store) error { return fn(ctx, faulty{tx, s.f}) })
}

func (s faulty) CreateContents(ctx context.Context, cs []kgl.Content) ([]string, error) {
	if err := s.f.call("CreateContents", cs); err != nil {
		return nil, err
	}
	return s.Store.CreateContents(ctx, cs)
}

func (s faulty) ReviseContent(ctx context.Context, c kgl.Content) error {
	if err := s.f.call("ReviseContent", c); err != nil {
		return err
	}
	return s.Store.ReviseContent(ctx, c)
}

func (s faulty) MoveContents(ctx context.Context, moves []kgl.ContentMove, now time.Time) error {
	if len(moves) > 0 {
		if err := s.f.call("MoveContents", moves); err != nil {
			return err
		}
	}
	return s.Store.MoveContents(ctx, moves, now)
}

func (s faulty) SeeRemoved(ctx context.Context, sourceID string, ids []kgl.ContentIdentity, now, before time.Time) error {
	if err := s.f.call("SeeRemoved", ids); err != nil {
		return err
	}
	return s.Store.SeeRemoved(ctx, sourceID, ids, now, before)
}

func (s faulty) SimilarContents(ctx context.Context, sourceID string, traits []kgl.ContentTraits) ([]kgl.ContentState, error) {
	s.f.countRead("SimilarContents")
	return s.Store.SimilarContents(ctx, sourceID, traits)
}

func (s faulty) ContentStates(ctx context.Context, sourceID string, ids []kgl.ContentIdentity) ([]kgl.ContentState, error) {
	s.f.countRead("ContentStates")
	if err := s.f.reads("ContentStates", sourceID); err != nil {
		return nil, err
	}
	return s.Store.ContentStates(ctx, sourceID, ids)
}

func (s faulty) Source(ctx context.Context, id string) (kgl.Source, error) {
	if err := s.f.reads("Source", id); err != nil {
		return kgl.Source{}, err
	}
	return s.Store.Source(ctx, id)
}

func (s faulty) FindDuplicates(ctx context.Context, cs []kgl.DuplicateCandidate) ([]*kgl.DuplicateLink, error) {
	if err := s.f.reads("FindDuplicates", cs); err != nil {
		return nil, err
	}
	return s.Store.FindDuplicates(ctx, cs)
}

func (s faulty) LinkDuplicates(ctx context.Context, links []kgl.DuplicateLink) ([]kgl.DuplicateLink, error) {
	if err := s.f.call("LinkDuplicates", links); err != nil {
		return nil, err
	}
	return s.Store.LinkDuplicates(ctx, links)
}

func (s faulty) CreateTasks(ctx context.Context, ts []kgl.EnrichmentTask) error {
	if err := s.f.call("CreateTasks", ts); err != nil {
		return err
	}
	return s.Store.CreateTasks(ctx, ts)
}

func (s faulty) AppendEvents(ctx context.Context, es []kgl.Event) error {
	if err := s.f.call("AppendEvents", es); err != nil {
		return err
	}
	return s.Store.AppendEvents(ctx, es)
}

func (s faulty) FinishFetch(ctx context.Context, l kgl.HostLease, r kgl.FetchResult, keep int) error {
	if err := s.f.call("FinishFetch", r); err != nil {
		return err
	}
	return s.Store.FinishFetch(ctx, l, r, keep)
}

func (s faulty) ReleaseHost(ctx context.Context, l kgl.HostLease, notBefore time.Time) error {
	if err := s.f.reads("ReleaseHost", l); err != nil {
		return err
	}
	return s.Store.ReleaseHost(ctx, l, notBefore)
}
