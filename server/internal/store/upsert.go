package store

import (
	"errors"
	"maps"
	"slices"
)

var errUpsertRace = errors.New("rows were deleted and created by others all the time")

// upsert stores those of a list of things that do not exist yet, finds those
// that do, and raises their confidence. It is the common part of entities and
// relationships; K is by what a thing is found.
type upsert[K comparable] struct {
	keys       []K
	ids        []string // of the things, should they be new
	confidence []float64

	// first returns keys of thing i that go before keys[i] in finding it; nil: it
	// has none.
	first func(i int) []K
	// also returns further keys by which thing i is found once it is stored.
	also func(i int) []K
	// find returns the ids of the stored things with the keys.
	find func(keys []K) (map[K]string, error)
	// lock keeps the things with the ids until the transaction ends, and returns
	// the confidence of those that still exist.
	lock func(ids []string) (map[string]float64, error)
	// insert stores the things with these indexes and returns the ids of those
	// that nobody else stored meanwhile.
	insert func(indexes []int) ([]string, error)
	// raise stores the confidence of thing i for the stored thing with the id.
	raise func(id string, i int) error

	stored map[string]float64 // confidence by id
}

// run returns the id of each thing as stored, and whether it was created.
func (u *upsert[K]) run() (ids []string, created []bool, err error) {
	u.stored = map[string]float64{}
	ids, created = make([]string, len(u.keys)), make([]bool, len(u.keys))
	todo := make([]int, len(u.keys))
	for i := range todo {
		todo[i] = i
	}
	for attempt := 1; len(todo) > 0; attempt++ {
		if attempt > maxAttempts {
			return nil, nil, unavailable(errUpsertRace)
		}
		if todo, err = u.findStored(todo, ids); err != nil {
			return nil, nil, err
		}
		if todo, err = u.insertMissing(todo, ids, created); err != nil {
			return nil, nil, err
		}
	}
	return ids, created, u.raiseAll(ids)
}

// keysOf returns the keys by which thing i is looked for, in their order.
func (u *upsert[K]) keysOf(i int) []K {
	if u.first == nil {
		return []K{u.keys[i]}
	}
	return append(u.first(i), u.keys[i])
}

// findStored fills in the ids of things that are stored and returns the rest.
func (u *upsert[K]) findStored(todo []int, ids []string) ([]int, error) {
	keys := make([]K, 0, len(todo))
	for _, i := range todo {
		keys = append(keys, u.keysOf(i)...)
	}
	found, err := u.find(keys)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		locked, err := u.lock(slices.Collect(maps.Values(found)))
		if err != nil {
			return nil, err
		}
		maps.Copy(u.stored, locked)
	}
	var rest []int
	for _, i := range todo {
		if ids[i] = u.storedID(i, found); ids[i] == "" {
			rest = append(rest, i)
		}
	}
	return rest, nil
}

// storedID returns the id of the stored thing that thing i is; empty for none.
func (u *upsert[K]) storedID(i int, found map[K]string) string {
	for _, key := range u.keysOf(i) {
		id, ok := found[key]
		if !ok {
			continue
		}
		if _, exists := u.stored[id]; exists {
			return id
		}
	}
	return ""
}

// insertMissing stores what is missing, each thing once however often the list
// names it, and returns what others stored meanwhile.
func (u *upsert[K]) insertMissing(missing []int, ids []string, created []bool) ([]int, error) {
	if len(missing) == 0 {
		return nil, nil
	}
	owner := map[K]int{} // the first thing of the list that is found by the key
	var fresh []int
	same := map[int]int{} // of each missing thing the first that it is the same as
	for _, i := range missing {
		same[i] = i
		for _, key := range u.keysOf(i) {
			if first, ok := owner[key]; ok {
				same[i] = first
				break
			}
		}
		if first := same[i]; first != i {
			u.confidence[first] = max(u.confidence[first], u.confidence[i])
			continue
		}
		fresh = append(fresh, i)
		for _, key := range append(u.also(i), u.keysOf(i)...) {
			if _, ok := owner[key]; !ok {
				owner[key] = i
			}
		}
	}
	inserted, err := u.insert(fresh)
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, id := range inserted {
		ours[id] = true
	}
	var rest []int
	for _, i := range missing {
		first := same[i]
		if !ours[u.ids[first]] {
			rest = append(rest, i)
			continue
		}
		ids[i], created[i] = u.ids[first], first == i
		u.stored[ids[i]] = u.confidence[first]
	}
	return rest, nil
}

// raiseAll stores the greatest confidence of each thing where it is greater
// than the stored one.
func (u *upsert[K]) raiseAll(ids []string) error {
	best := map[string]int{}
	for i, id := range ids {
		if u.confidence[i] <= u.stored[id] {
			continue
		}
		if b, ok := best[id]; !ok || u.confidence[i] > u.confidence[b] {
			best[id] = i
		}
	}
	for _, id := range slices.Sorted(maps.Keys(best)) {
		if err := u.raise(id, best[id]); err != nil {
			return err
		}
	}
	return nil
}
