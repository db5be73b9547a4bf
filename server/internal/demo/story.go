package demo

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// story is one item of a feed.
type story struct {
	channel   *channel
	number    int // its place in the schedule of the channel
	title     string
	lead      string
	bodies    []string
	quote     string
	closer    string
	author    string
	org       organization
	tags      []string
	published time.Time
}

// compose writes the story with this number. Everything in it follows from the
// channel and the number.
func (l *library) compose(c *channel, number int) story {
	d := dice{seed: uint64(c.index+1)<<40 ^ uint64(number)}
	kind := c.kinds[mod(number, len(c.kinds))]
	parts := l.kinds[kind]
	words, org := l.words(c, number, d)
	fill := func(sentence string) string { return capitalized(words.Replace(sentence)) }
	first := d.roll("body", len(parts.Bodies))
	second := (first + 1 + d.roll("body2", len(parts.Bodies)-1)) % len(parts.Bodies)
	turn := number / len(c.kinds)
	return story{
		channel: c, number: number, published: c.publishedAt(number), org: org,
		title:  fill(parts.Titles[mod(turn, len(parts.Titles))]),
		lead:   fill(parts.Leads[mod(turn/2+d.roll("lead", 2), len(parts.Leads))]),
		bodies: []string{fill(parts.Bodies[first]), fill(parts.Bodies[second])},
		quote:  fill(quoted(parts.Quotes[d.roll("quote", len(parts.Quotes))])),
		closer: fill(parts.Closers[d.roll("closer", len(parts.Closers))]),
		author: c.authors[d.roll("author", len(c.authors))],
		tags:   []string{kind, words.Replace("{concept}")},
	}
}

// words returns what the placeholders of a story stand for. Organizations and
// creators take turns, so that neighbours in a feed differ; the facts about an
// organization (its city, people and grants) are the same in every story.
func (l *library) words(c *channel, number int, d dice) (*strings.Replacer, organization) {
	orgs := l.cast.Organizations
	i := mod(number*7+c.index*3, len(orgs))
	other := (i + 1 + d.roll("org2", len(orgs)-1)) % len(orgs)
	org, org2 := orgs[i], orgs[other]
	maker := l.cast.Creators[mod(number*5+c.index*11, len(l.cast.Creators))]
	place := pick(d, "event", l.cast.Events)
	platform, platform2 := pickTwo(d, "platform", l.cast.Platforms)
	concept, concept2 := pickTwo(d, "concept", l.cast.Concepts)
	return strings.NewReplacer(
		"{org}", org.Name, "{kind}", org.Kind, "{city}", org.City, "{founder}", org.Founder, "{lead}", org.Lead,
		"{grant}", org.Grant, "{program}", org.Program,
		"{org2}", org2.Name, "{city2}", org2.City, "{founder2}", org2.Founder, "{lead2}", org2.Lead, "{grant2}", org2.Grant,
		"{creator}", maker.Name, "{craft}", maker.Craft,
		"{event}", place.Name, "{eventcity}", place.City,
		"{platform}", platform, "{platform2}", platform2, "{concept}", concept, "{concept2}", concept2,
		"{amount}", pick(d, "amount", l.cast.Amounts), "{n}", pick(d, "n", l.cast.Numbers),
		"{percent}", pick(d, "percent", l.cast.Percents), "{month}", pick(d, "month", l.cast.Months),
		"{number}", fmt.Sprint(number),
	), org
}

// slug is the path of the story's page below /stories/.
func (s story) slug() string { return fmt.Sprintf("%s/%d", s.channel.id, s.number) }

// html returns the body of the story. Links are absolute, as feed readers need
// them.
func (s story) html(base string) string {
	link := fmt.Sprintf(`<a href="%s/organizations/%s">%s</a>`, base, slugOf(s.org.Name), html.EscapeString(s.org.Name))
	lead := strings.Replace(html.EscapeString(s.lead), html.EscapeString(s.org.Name), link, 1)
	var b strings.Builder
	fmt.Fprintf(&b, "<p>%s</p>\n", lead)
	fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(s.bodies[0]))
	fmt.Fprintf(&b, "<blockquote><p>%s</p></blockquote>\n", html.EscapeString(s.quote))
	fmt.Fprintf(&b, "<p>%s <em>%s</em></p>\n", html.EscapeString(s.bodies[1]), html.EscapeString(s.closer))
	return b.String()
}

// text returns the body as plain text.
func (s story) text() string {
	return strings.Join([]string{s.lead, s.bodies[0], s.quote, s.bodies[1] + " " + s.closer}, "\n\n")
}

// quoted sets the quotation marks of a sentence such as "It works, says X.".
func quoted(sentence string) string {
	for _, verb := range []string{", says {", ", {"} {
		if i := strings.LastIndex(sentence, verb); i >= 0 {
			return "“" + sentence[:i] + ",” " + sentence[i+2:]
		}
	}
	return sentence
}

// capitalized makes the first letter a capital: a placeholder may stand there.
func capitalized(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

// slugOf returns a name as a part of a path, in ASCII.
func slugOf(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '-'
	}, name), "-")
}
