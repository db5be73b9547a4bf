package neardup

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// doc is a document of a labelled set: documents of one story are the same
// article, those of one family but of several stories are easily taken for it.
type doc struct {
	id          int
	story       int
	family      int    // 0: none
	kind        string // how it differs from the original of its story
	title, text string
}

// corpus makes labelled sets. The same seed makes the same set.
type corpus struct {
	*rand.Rand
	docs   []doc
	story  int
	family int
	sent   map[string]bool // announcements that were made from a template
}

// newCorpus returns a set of about n documents: two fifths are of stories with
// copies, two fifths of families of hard negatives, the rest is alone.
func newCorpus(seed uint64, n int) *corpus {
	c := &corpus{Rand: rand.New(rand.NewPCG(seed, 7)), family: len(templates), sent: map[string]bool{}}
	for len(c.docs) < n {
		switch c.IntN(10) {
		case 0, 1:
			c.original()
		case 2, 3, 4, 5:
			c.copies()
		default:
			c.hard()
		}
	}
	return c
}

func (c *corpus) add(story, family int, kind, title, text string) {
	c.docs = append(c.docs, doc{id: len(c.docs), story: story, family: family, kind: kind, title: title, text: text})
}

func (c *corpus) newStory() int  { c.story++; return c.story }
func (c *corpus) newFamily() int { c.family++; return c.family }

func (c *corpus) pick(list []string) string { return list[c.IntN(len(list))] }

// oneOf picks from words separated by spaces.
func (c *corpus) oneOf(words string) string { return c.pick(strings.Fields(words)) }

func (c *corpus) chance(percent int) bool { return c.IntN(100) < percent }

// article is a text by paragraphs, and its headline.
type article struct {
	title string
	paras []string
}

func (a article) text() string { return strings.Join(a.paras, "\n\n") }

// newArticle writes an article of the language: "en" and "de" with words,
// "ru" in Cyrillic, "zh", "ja" and "th" in scripts without spaces.
func (c *corpus) newArticle(language string, words int) article {
	w := newWriter(c, language)
	a := article{title: w.title()}
	for have := 0; have < words; {
		var sentences []string
		for range 2 + c.IntN(4) {
			s, n := w.sentence()
			sentences = append(sentences, s)
			have += n
		}
		a.paras = append(a.paras, strings.Join(sentences, w.between))
	}
	return a
}

func (c *corpus) language() string {
	return c.oneOf("en en en en en en de de fr ru zh ja th")
}

func (c *corpus) length() int {
	if c.chance(20) {
		return 40 + c.IntN(60)
	}
	return 100 + c.IntN(c.oneOfInt(200, 400, 900))
}

func (c *corpus) oneOfInt(list ...int) int { return list[c.IntN(len(list))] }

func (c *corpus) original() article {
	a := c.newArticle(c.language(), c.length())
	c.add(c.newStory(), 0, "original", a.title, a.text())
	return a
}

// copies makes a story with two to five documents.
func (c *corpus) copies() {
	language := c.language()
	a := c.newArticle(language, c.length())
	story := c.newStory()
	c.add(story, 0, "original", a.title, a.text())
	for range 1 + c.IntN(4) {
		k := copyKinds[c.IntN(len(copyKinds))]
		title, text := k.make(c, newWriter(c, language), a)
		c.add(story, 0, k.name, title, text)
	}
}

func (c *corpus) amount() string {
	return fmt.Sprintf("%s%d,%03d", c.oneOf("$ € £"), 1+c.IntN(900), 250*c.IntN(4))
}

func (c *corpus) date() string {
	return fmt.Sprintf("%d %s 2026", 1+c.IntN(28), c.oneOf("January February March April May June July August September October November December"))
}
