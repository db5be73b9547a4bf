package benchdata

import (
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// generator makes the rows item by item, in the order in which a service would
// have stored them.
type generator struct {
	cfg       Config
	rng       *rand.Rand
	now       time.Time // of the item that is made
	ids       kgl.IDSource
	sentences []sentence
	languages []string

	sources  []sourceState
	bySize   *rand.Zipf // draws a source: a few publish most
	entities []entityState
	edges    []edgeState
	known    map[edgeKey]bool
	heads    []head // the newest items that are nobody's duplicates

	body body
	out  *batch
}

type sourceState struct {
	id, host string
	fetches  int
	turns    int64 // of the pending tasks
}

type entityState struct{ id, name, typ string }

type edgeKey struct {
	from, to int
	typ      string
}

type edgeState struct {
	id string
	edgeKey
	sentence sentence
	second   int64 // where the name of the other end begins
}

// head is an item that others may repeat.
type head struct {
	id           string
	source       int
	canonicalURL string
	content      content
}

// Now implements kgl.Clock with the time of the item that is made.
func (g *generator) Now() time.Time { return g.now }

func newGenerator(cfg Config) *generator {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], cfg.Seed)
	r := rand.New(rand.NewChaCha8(seed))
	seed[31] = 1
	g := &generator{
		cfg: cfg, rng: r, now: cfg.Until.UTC().Add(-span).Truncate(time.Microsecond),
		sentences: makeSentences(r, 4000), languages: strings.Fields(languages),
		bySize: rand.NewZipf(r, 1.2, 20, uint64(cfg.sources()-1)), known: map[edgeKey]bool{},
	}
	g.ids = kgl.NewUUIDv7(g, rand.NewChaCha8(seed))
	return g
}

// micros is the time of the item as it is stored.
func (g *generator) micros() int64 { return g.now.UnixMicro() }

func (g *generator) chance(share float64) bool { return g.rng.Float64() < share }

func (g *generator) sentence() sentence { return g.sentences[g.rng.IntN(len(g.sentences))] }

// step makes item n and what is due with it.
func (g *generator) step(n int, out *batch) {
	g.out = out
	g.now = g.cfg.Until.UTC().Add(-span + time.Duration(float64(span)*float64(n+1)/float64(g.cfg.Items))).Truncate(time.Microsecond)
	if n == 0 {
		g.addSources()
	}
	upTo := func(total int) int { return min(total, 20+total*n/g.cfg.Items) }
	for len(g.entities) < upTo(g.cfg.entities()) {
		g.addEntity()
	}
	for len(g.edges) < upTo(g.cfg.relationships()) {
		g.addEdge()
	}
	g.addItem(n)
}

func (g *generator) addSources() {
	formats := []string{"rss", "rss", "rss", "atom", "json"}
	tags := []string{`["funding"]`, `["platforms"]`, `["funding","news"]`, `[]`}
	for i := range g.cfg.sources() {
		s := sourceState{id: g.ids.NewID(), host: "feed-" + strconv.Itoa(i) + ".example"}
		g.sources = append(g.sources, s)
		due, fetched := g.cfg.Until.Add(unfetched).UnixMicro(), g.cfg.Until.UnixMicro()
		url, title := "https://"+s.host+"/feed.xml", "Feed "+strconv.Itoa(i)+" "+entityName(i)
		g.out.add(hosts, s.host, due, g.micros())
		g.out.add(sources, s.id, url, url, s.host, title, strings.ToLower(title), false, g.sentence().text, "https://"+s.host+"/",
			formats[i%len(formats)], "en", tags[i%len(tags)], "active", int64(0), `"`+strconv.Itoa(i)+`"`, "", hashText(url), due, fetched, fetched,
			int64(0), "", "", "", int64(1), g.micros(), fetched)
		g.event(kgl.EventSourceCreated, "source", s.id, `{}`)
	}
}

func (g *generator) addEntity() {
	n := len(g.entities)
	types := strings.Fields(entityTypes)
	typ := types[n%len(types)]
	e := entityState{id: g.ids.NewID(), name: entityName(n), typ: typ}
	g.entities = append(g.entities, e)
	keys := []string{kgl.NormalizeName(e.name)}
	g.out.add(entities, e.id, e.name, kgl.NormalizeName(e.name), typ, g.sentence().text, `{}`, g.confidence(), extractor, int64(0), int64(1),
		g.micros(), g.micros())
	if n%5 == 0 {
		alias := "The " + e.name
		keys = append(keys, kgl.NormalizeName(alias))
		g.out.add(aliases, e.id, keys[1], alias, typ, extractor)
	}
	for _, key := range keys { // no two of one length
		for _, gram := range kgl.NameTerms(key) {
			g.out.add(nameGrams, gram, int64(kgl.NameSize(key)), e.id)
		}
	}
	g.event(kgl.EventEntityCreated, "entity", e.id, `{}`)
}

// confidence returns one of 0.50 to 0.99.
func (g *generator) confidence() float64 { return float64(50+g.rng.IntN(50)) / 100 }

// skewed draws a number below n; the small ones come more often.
func (g *generator) skewed(n int) int {
	f := g.rng.Float64()
	return int(f * f * f * float64(n))
}

// addEdge makes a relationship between two entities that has none of its kind
// yet, and the sentence that supports it.
func (g *generator) addEdge() {
	types := strings.Fields(relationTypes)
	key := edgeKey{from: g.skewed(len(g.entities)), to: g.rng.IntN(len(g.entities)), typ: types[g.rng.IntN(len(types))]}
	for key.from == key.to || g.known[key] {
		key.from, key.to = g.rng.IntN(len(g.entities)), g.rng.IntN(len(g.entities))
	}
	g.known[key] = true
	from, to := g.entities[key.from], g.entities[key.to]
	lead := newSentence(from.name + " " + strings.ReplaceAll(key.typ, "_", " ") + " ")
	e := edgeState{id: g.ids.NewID(), edgeKey: key, sentence: newSentence(lead.text + to.name + "."), second: lead.runes}
	g.edges = append(g.edges, e)
	g.out.add(relationships, e.id, from.id, to.id, key.typ, g.confidence(), extractor, int64(0), int64(1), g.micros(), g.micros())
	g.event(kgl.EventRelationshipCreated, "relationship", e.id, `{}`)
}

// event adds an event; its transaction is filled in when it is stored.
func (g *generator) event(typ kgl.EventType, subject, id, data string) {
	g.out.add(events, int64(0), g.ids.NewID(), string(typ), subject, id, data, g.micros())
}
