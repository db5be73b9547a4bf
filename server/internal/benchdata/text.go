package benchdata

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Words of the sentences, the frequent ones first. They are drawn with Zipf's
// law, as words of a language are distributed.
const wordText = `the to of and a in for on with creators is that new their as this by from at are it fund grant platform
audience artists program support applications open revenue will more video music community independent month share year weekly
subscription newsletter podcast streaming deadline award studio project funding sponsor brand payout members tools income report
launch team work publish market growth license rights games writers film makers journalism residency prize partner deal policy
algorithm feed short live merch tips coins royalties catalog distribution agency contract survey data budget cohort mentor
workshop collective cooperative nonprofit foundation council ministry region local global city festival museum library archive
photography illustration animation comics theatre dance poetry fiction translation research open-source developer accelerator
seed equity loan tax invoice currency fee threshold monetisation eligibility criteria jury panel announcement shortlist winner
nominee recipient applicant portfolio pitch proposal milestone stipend bursary fellowship scholarship bootcamp café naïve résumé`

// Parts of entity names.
const (
	firstNames = `Aurora Beacon Cedar Delta Ember Fable Garnet Harbor Indigo Juniper Kindle Lumen Maple Nimbus Orchid Prism Quartz
River Summit Timber Umber Velvet Willow Xenon Yarrow Zephyr Anchor Bramble Cobalt Drift Echo Fern Glacier Hollow Iris Jasper
Kestrel Lantern Meadow North Opal Pebble Quill Raven Saffron Tundra Union Vesper Wren Amber Birch Coral Dune Elm Flint Grove
Heather Ivory Jade Keystone Linden Moss Nova Onyx`
	lastNames = `Collective Studio Fund Foundation Network Alliance Works Media Press Records Pictures Guild Society House Lab Circle
Union Project Initiative Academy Institute Council Agency Partners Ventures Exchange Market Forum Gallery Workshop Theatre Archive
Journal Review Channel Platform Stream Audio Vision Arts Letters Games Comics Dance Film Music Stage Design Craft Voices Stories
Futures Commons Bridge Garden Harvest Compass Atlas Signal Current Horizon Canvas Ensemble Chorus`
	entityTypes   = `organization person platform grant program event`
	relationTypes = `funds partners_with offers works_for located_in acquired competes_with organises`
	languages     = `en en en en en en en de fr es pt-BR`
)

// sentence is a piece of text with its length in code points.
type sentence struct {
	text  string
	runes int64
}

func newSentence(text string) sentence {
	return sentence{text: text, runes: int64(utf8.RuneCountInString(text))}
}

// makeSentences returns n sentences of 6 to 22 words.
func makeSentences(r *rand.Rand, n int) []sentence {
	words := strings.Fields(wordText)
	zipf := rand.NewZipf(r, 1.1, 4, uint64(len(words)-1))
	list := make([]sentence, n)
	for i := range list {
		var b strings.Builder
		for k := range 6 + r.IntN(17) {
			w := words[zipf.Uint64()]
			if k == 0 {
				b.WriteString(strings.ToUpper(w[:1]) + w[1:])
				continue
			}
			b.WriteString(" " + w)
		}
		b.WriteByte('.')
		list[i] = newSentence(b.String())
	}
	return list
}

// entityName returns the name of the nth entity; no two are the same.
func entityName(n int) string {
	first, last := strings.Fields(firstNames), strings.Fields(lastNames)
	// 37 is coprime to the number of words, so that neighbours differ in both.
	name := first[n%len(first)] + " " + last[(n/len(first)+n*37)%len(last)]
	if round := n / (len(first) * len(last)); round > 0 {
		name += " " + strconv.Itoa(round+1)
	}
	return name
}

// body builds the HTML of an item and its text, and counts the text in code
// points, as offsets of mentions do.
type body struct {
	html, text  strings.Builder
	runes       int64
	inParagraph bool
	words       int64
}

func (b *body) reset() {
	b.html.Reset()
	b.text.Reset()
	b.runes, b.words, b.inParagraph = 0, 0, false
}

// paragraph ends the paragraph, if one is open; the next sentence opens one.
func (b *body) paragraph() {
	if b.inParagraph {
		b.html.WriteString("</p>\n")
		b.text.WriteByte('\n')
		b.runes++
		b.inParagraph = false
	}
}

// add appends a sentence and returns where it begins.
func (b *body) add(s sentence) (start int64) {
	if b.inParagraph {
		b.html.WriteByte(' ')
		b.text.WriteByte(' ')
		b.runes++
	} else {
		b.html.WriteString("<p>")
		b.inParagraph = true
	}
	start = b.runes
	b.html.WriteString(s.text)
	b.text.WriteString(s.text)
	b.runes += s.runes
	b.words += int64(strings.Count(s.text, " ")) + 1
	return start
}

// link appends a sentence that is a link to a page.
func (b *body) link(url string, s sentence) {
	b.paragraph()
	b.html.WriteString(`<p><a href="` + url + `" rel="nofollow noreferrer noopener">` + s.text + "</a>")
	b.text.WriteString(s.text)
	b.inParagraph = true
	b.runes += s.runes
	b.words += int64(strings.Count(s.text, " ")) + 1
}
