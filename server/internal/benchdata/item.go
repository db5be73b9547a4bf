package benchdata

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/neardup"
)

// content is the part of an item that a revision keeps, but for its URLs.
type content struct {
	title, summary, html, text string
	words                      int64
	textHash                   string
}

// found is what an item's text holds of the graph.
type found struct {
	entity     int
	start, end int64
}

func hashText(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		_, _ = h.Write([]byte(t))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// item is one item while its rows are made.
type item struct {
	id        string
	source    int
	url       string
	canonical string
	published int64
	language  string
	content   content
	mentions  []found
	edge      *edgeState
	edgeAt    int64
	run       string // the extraction run of a processed item
}

// addItem makes item n with its links, revision, task, graph rows and events.
func (g *generator) addItem(n int) {
	it := item{id: g.ids.NewID(), source: int(g.bySize.Uint64()), language: g.languages[g.rng.IntN(len(g.languages))]}
	it.published = g.now.Add(-time.Duration(g.rng.IntN(int(6*time.Hour/time.Microsecond))) * time.Microsecond).UnixMicro()
	it.url = "https://" + g.sources[it.source].host + "/posts/" + strconv.Itoa(n)
	it.canonical = it.url

	status := g.status(n)
	duplicateOf, reason := g.repeat(&it)
	if duplicateOf == nil {
		g.write(&it)
		g.remember(&it)
	}
	if status != kgl.ContentProcessed {
		it.mentions, it.edge = nil, nil
	}
	revision := int64(1)
	if g.chance(revisionShare) {
		revision = 2
	}
	g.addContent(&it, n, status, revision, duplicateOf)
	if duplicateOf != nil {
		g.out.add(links, it.id, *duplicateOf, string(reason), float64(1), g.micros())
		g.event(kgl.EventDuplicateLinked, "content", it.id, `{"duplicate_of":"`+*duplicateOf+`","reason":"`+string(reason)+`"}`)
	}
	task := g.addTask(&it, status, revision)
	g.addRun(&it, task, status, revision)
	g.addGraph(&it, revision)
	if n%itemsPerFetch == 0 {
		g.addFetch(it.source)
	}
}

// status draws the state of item n. The newest still wait.
func (g *generator) status(n int) kgl.ContentStatus {
	f := g.rng.Float64()
	switch {
	case float64(n) >= float64(g.cfg.Items)*(1-waitingShare):
		return kgl.ContentNew
	case f < failedShare:
		return kgl.ContentFailed
	case f < failedShare+skippedShare:
		return kgl.ContentSkipped
	default:
		return kgl.ContentProcessed
	}
}

// repeat makes the item a duplicate of a recent one of another source, or
// returns nil.
func (g *generator) repeat(it *item) (*string, kgl.DuplicateReason) {
	if len(g.heads) == 0 || !g.chance(duplicateShare) {
		return nil, ""
	}
	h := g.heads[g.rng.IntN(len(g.heads))]
	if h.source == it.source {
		return nil, ""
	}
	if g.chance(0.5) {
		it.canonical = h.canonicalURL
		g.write(it)
		return &h.id, kgl.DuplicateSameURL
	}
	it.content = h.content
	return &h.id, kgl.DuplicateSameText
}

// remember keeps the item among those that others may repeat.
func (g *generator) remember(it *item) {
	h := head{id: it.id, source: it.source, canonicalURL: it.canonical, content: it.content}
	if len(g.heads) < recentHeads {
		g.heads = append(g.heads, h)
		return
	}
	g.heads[g.rng.IntN(recentHeads)] = h
}

// write makes the body of an item, 1 to 6 KB of HTML, with the names of entities in it.
func (g *generator) write(it *item) {
	b := &g.body
	b.reset()
	size := 900 + g.rng.IntN(5000)
	if g.chance(relationShare) {
		it.edge = &g.edges[g.skewed(len(g.edges))]
		it.edgeAt = b.add(it.edge.sentence)
		from, to := g.entities[it.edge.from], g.entities[it.edge.to]
		it.mentions = append(it.mentions,
			found{it.edge.from, it.edgeAt, it.edgeAt + runes(from.name)},
			found{it.edge.to, it.edgeAt + it.edge.second, it.edgeAt + it.edge.second + runes(to.name)})
	}
	for range g.rng.IntN(maxLoneMentions + 1) {
		k := g.skewed(len(g.entities))
		at := b.add(newSentence(g.entities[k].name + " is in the news."))
		it.mentions = append(it.mentions, found{k, at, at + runes(g.entities[k].name)})
		b.add(g.sentence())
	}
	for b.html.Len() < size {
		if g.rng.IntN(4) == 0 {
			b.paragraph()
		}
		b.add(g.sentence())
	}
	b.link(it.url+"/more", g.sentence())
	b.paragraph()
	it.content = content{
		title: g.sentence().text, summary: g.sentence().text, html: b.html.String(), text: b.text.String(), words: b.words,
		textHash: hashText("text", b.text.String()),
	}
}

func runes(s string) int64 { return newSentence(s).runes }

// bodyValues returns the columns that contents and content_revisions share.
func (it *item) bodyValues(title string) []any {
	return []any{it.published, false, it.language, it.content.words, hashText(title, it.canonical, it.content.html), it.content.textHash, it.url,
		it.canonical, title, it.content.summary, `[{"name":"` + entityName(it.source) + `"}]`, `["funding","creators"]`, `[]`, it.content.html,
		it.content.text}
}

func (g *generator) addContent(it *item, n int, status kgl.ContentStatus, revision int64, duplicateOf *string) {
	kind, guid, key := "guid", "tag:"+g.sources[it.source].host+":"+strconv.Itoa(n), ""
	if key = guid; n%10 == 0 {
		kind, guid, key = "url", "", it.canonical
	}
	version := revision
	if status != kgl.ContentNew {
		version += 2 // taken for enrichment, and ended
	}
	var folded any
	if duplicateOf != nil {
		folded = *duplicateOf
	}
	at, source := g.micros(), g.sources[it.source].id
	g.out.add(contents, slices.Concat([]any{it.id, source, guid, kind, key, string(status), revision, folded, version, at, at},
		it.bodyValues(it.content.title))...)
	keys, _ := neardup.Read(it.content.title, it.content.text).Keys()
	g.out.add(signatures, it.id, int64(neardup.KeysVersion), at, keys[0], keys[1], keys[2], keys[3], keys[4], keys[5])
	data := `{"revision":1,"source_id":"` + source + `"}`
	g.event(kgl.EventContentCreated, "content", it.id, data)
	if revision > 1 {
		g.out.add(revisions, slices.Concat([]any{it.id, revision - 1, at}, it.bodyValues("Draft: "+it.content.title))...)
		g.event(kgl.EventContentUpdated, "content", it.id, `{"revision":2,"source_id":"`+source+`"}`)
	}
}

// addTask adds the task that enriched the item, or waits to, and returns its id.
func (g *generator) addTask(it *item, status kgl.ContentStatus, revision int64) string {
	state, attempts, lastError := kgl.TaskDone, int64(1), ""
	switch status {
	case kgl.ContentNew:
		state, attempts = kgl.TaskPending, 0
	case kgl.ContentFailed:
		state, attempts, lastError = kgl.TaskDead, 5, "the extractor gave no answer"
		g.event(kgl.EventContentFailed, "content", it.id, `{"attempts":5,"extractor":"mock","revision":`+strconv.FormatInt(revision, 10)+`}`)
	case kgl.ContentProcessed:
		g.event(kgl.EventContentProcessed, "content", it.id, `{"extractor":"mock","revision":`+strconv.FormatInt(revision, 10)+`}`)
	}
	at, id, s := g.micros(), g.ids.NewID(), &g.sources[it.source]
	turn := s.turns
	if state == kgl.TaskPending {
		s.turns++
	}
	g.out.add(tasks, id, it.id, revision, extractor, string(state), attempts, at, "", attempts, lastError, at, at, s.id, turn)
	return id
}

// addRun adds the run that made what is found in the item.
func (g *generator) addRun(it *item, task string, status kgl.ContentStatus, revision int64) {
	if status != kgl.ContentProcessed {
		return
	}
	named, edges := map[int]bool{}, int64(0)
	for _, m := range it.mentions {
		named[m.entity] = true
	}
	if it.edge != nil {
		edges = 1
	}
	at := g.micros()
	it.run = g.ids.NewID()
	g.out.add(runs, it.run, it.id, revision, extractor, extractor, "", "", "enrich", string(kgl.RunCurrent), task, int64(1), int64(len(named)),
		int64(len(it.mentions)), edges, at, at)
}

func (g *generator) addGraph(it *item, revision int64) {
	at := g.micros()
	seen := map[found]bool{}
	for _, m := range it.mentions {
		if seen[m] {
			continue
		}
		seen[m] = true
		e := g.entities[m.entity]
		g.out.add(mentions, g.ids.NewID(), it.id, revision, e.id, m.start, m.end, e.name, g.confidence(), extractor, at, e.typ, it.published, it.run)
	}
	if it.edge != nil {
		g.out.add(evidence, g.ids.NewID(), it.edge.id, it.id, revision, it.edgeAt, it.edgeAt+it.edge.sentence.runes, it.edge.sentence.text,
			g.confidence(), extractor, at, it.run)
	}
}

// addFetch adds a row to the history of a source, as long as it is short.
func (g *generator) addFetch(source int) {
	s := &g.sources[source]
	if s.fetches++; s.fetches > fetchesPerSource {
		return
	}
	g.out.add(fetches, g.ids.NewID(), s.id, g.micros(), int64(80000+g.rng.IntN(400000)), string(kgl.FetchNewContent), int64(200),
		int64(40000+g.rng.IntN(80000)), int64(30), int64(itemsPerFetch), int64(0), int64(0), "", "", `[]`)
}
