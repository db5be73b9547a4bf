package corpus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Format is the syntax of a feed document.
type Format int

// The formats, in the order of Config.Formats' weights.
const (
	RSS Format = iota
	Atom
	RDF
	JSONFeed
)

func (f Format) String() string { return [...]string{"rss", "atom", "rdf", "json"}[f] }

// Config says what a corpus holds. The zero value is not usable: see Default.
type Config struct {
	Seed     uint64
	MinItems int // items a feed document holds, drawn per feed between
	MaxItems int // MinItems and MaxItems
	// Formats are the weights of RSS 2.0, Atom, RDF and JSON Feed.
	Formats [4]float64
	// Dup is the share of items that retell a story of a pool shared by all
	// feeds, under another URL and GUID; a story has about DupCluster tellings.
	Dup        float64
	DupCluster float64
	Feeds      int // how many feeds the pool of shared stories is sized for
	// Epoch is the date of the newest item before the first tick.
	Epoch time.Time
}

// Default is the corpus of the anchors: 20 to 50 items a feed, 60 % RSS, 25 %
// Atom, 5 % RDF, 10 % JSON Feed, 5 % retold stories.
func Default() Config {
	return Config{
		Seed: 1, MinItems: 20, MaxItems: 50,
		Formats: [4]float64{0.60, 0.25, 0.05, 0.10},
		Dup:     0.05, DupCluster: 3, Feeds: 1000,
		Epoch: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
	}
}

// mix hashes the corpus seed with a purpose and indices (splitmix64 steps).
func (c *Config) mix(purpose string, idx ...int) uint64 {
	h := c.Seed ^ 0x9e3779b97f4a7c15
	for i := range len(purpose) {
		h = step(h ^ uint64(purpose[i]))
	}
	for _, i := range idx {
		h = step(h ^ uint64(i))
	}
	return h
}

func step(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// Unit is a number in [0,1) that depends on the seed, a purpose and indices.
func (c *Config) Unit(purpose string, idx ...int) float64 {
	return float64(c.mix(purpose, idx...)>>11) / (1 << 53)
}

func (c *Config) rand(purpose string, idx ...int) *rand.Rand {
	h := c.mix(purpose, idx...)
	return rand.New(rand.NewPCG(h, step(h)))
}

// Feed describes one feed, apart from its items.
type Feed struct {
	ID       int
	Format   Format
	Title    string
	Subtitle string
	Lang     string
	Items    int           // how many items its document holds
	Interval time.Duration // between two items
	// Style picks among the habits of publishing software (CDATA or escaped
	// text, full text or summary and full text, date spelling).
	Style uint64
}

// Feed returns the feed with a number.
func (c *Config) Feed(id int) Feed {
	r := c.rand("feed", id)
	f := Feed{ID: id, Lang: "en"}
	u := r.Float64() * (c.Formats[0] + c.Formats[1] + c.Formats[2] + c.Formats[3])
	for k, w := range c.Formats {
		if f.Format = Format(k); u < w {
			break
		}
		u -= w
	}
	f.Title = capitalise(word(r)) + " " + capitalise(word(r))
	f.Subtitle = Sentence(r)
	f.Items = c.MinItems
	if c.MaxItems > c.MinItems {
		f.Items += r.IntN(c.MaxItems - c.MinItems + 1)
	}
	f.Interval = time.Duration(10*math.Pow(144, r.Float64())) * time.Minute // 10 min to 1 day
	f.Style = r.Uint64()
	return f
}

// Item is one entry of a feed.
type Item struct {
	Feed, N    int
	Story      int // number of the shared story it retells, -1 if its own
	Title      string
	Summary    string // plain text
	HTML       string
	Author     string
	Categories []string
	Published  time.Time
	HasMedia   bool
}

// Item returns item n of a feed: n counts from 0, the oldest item of the first
// document, and grows for ever.
func (c *Config) Item(f Feed, n int) Item {
	it := Item{Feed: f.ID, N: n, Story: -1}
	r := c.rand("item", f.ID, n)
	it.Published = c.Epoch.Add(time.Duration(n-f.Items+1) * f.Interval).Add(time.Duration(c.mix("jitter", f.ID, n)%uint64(f.Interval/2)) * -1).Truncate(time.Second)
	text := r
	if c.Dup > 0 && c.Unit("dup", f.ID, n) < c.Dup {
		pool := int(float64(c.Feeds)*float64(c.MinItems+c.MaxItems)/2*c.Dup/c.DupCluster) + 1
		it.Story = int(c.mix("story", f.ID, n) % uint64(pool))
		text = c.rand("storytext", it.Story)
	}
	it.Title = Title(text)
	it.Summary = Sentence(text) + " " + Sentence(text)
	it.HTML = Body(text, BodySize(text))
	it.HasMedia = r.IntN(8) == 0
	it.Author = capitalise(word(r)) + " " + capitalise(word(r))
	for range r.IntN(5) {
		it.Categories = append(it.Categories, word(r))
	}
	if it.Story >= 0 {
		// Retellings differ a little, as syndicated copies do.
		switch r.IntN(4) {
		case 0:
			it.Title += " - " + f.Title
		case 1:
			it.HTML += fmt.Sprintf("<p>The post <a href=\"https://origin.example/story/%d\">%s</a> appeared first on %s.</p>", it.Story, escape(it.Title), escape(f.Title))
		case 2:
			it.HTML = "<p><em>" + escape(f.Title) + " — </em></p>" + it.HTML
		}
	}
	return it
}

// GUID is the item's stable identifier.
func (it *Item) GUID() string { return fmt.Sprintf("tag:feedfarm.example,2026:%d/%d", it.Feed, it.N) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;")

func escape(s string) string { return escaper.Replace(s) }
