package enrich

import "strings"

// The rules of relationships: "types before : phrase | phrase : types behind :
// relationship". A phrase between two names of these types, in one sentence,
// makes the relationship; with "<" before its name it leads from the name
// behind to the name before, and with "!" both names stand right beside the
// phrase.
const relationRules = `
organization platform person: launches|launched|launch|unveils|unveiled|introduces|introduced|announces|announced|offers|offered|opens|opened|runs|run|created|creates|awards|administers: grant program: offers
organization platform: launches|launched|unveils|unveiled|announces|announced|hosts|hosted|host|organises|organizes|organised|organized|curates: event: hosts
organization: launches|launched|unveils|unveiled|introduced|introduces|operates|built|builds: platform: operates
grant program event: run by|offered by|launched by|administered by|created by|opened by: organization platform person: <offers
grant program: !of: organization: <offers
event: hosted by|organised by|organized by|curated by: organization platform: <hosts
organization platform: acquires|acquired|buys|to acquire: organization platform: acquires
organization platform: acquired by|bought by|sold to: organization platform: <acquires
organization platform: partners with|partnered with|partnering with|teams up with|teamed up with|joins forces with|partnership with|works with|alongside: organization platform grant program event: partners_with
organization platform grant program event: based in|headquartered in|held in|takes place in|take place in|took place in|returns to|moves to|moved to: location: located_in
event program: !in: location: located_in
location: !based: organization platform: <located_in
person: founded|co-founded|founder of|co-founder of|founding|started|set up: organization platform program grant event: founded
organization platform program: founded by|co-founded by|started by|set up by: person: <founded
organization platform program: !founder|!co-founder: person: <founded
person: works for|works at|director of|executive of|ceo of|head of|editor of|producer at|joins|joined|hired by|president of|manager at: organization platform: works_for
person: leads|chairs|heads: organization platform program event grant: works_for
organization platform: hires|hired|appoints|appointed|promoted: person: <works_for
organization platform: !ceo|!director|!editor|!producer|!president|!chair|!spokesperson|!analyst|!researcher: person: <works_for
organization platform: led by|headed by: person: <works_for
organization platform grant program event: funded by|backed by|supported by|sponsored by|financed by|underwritten by|money from|funding from: organization platform grant person: funded_by
organization platform grant person: funds|backs|backed|finances|sponsors|invests in|invested in|underwrites|supports|supported: organization platform event program: <funded_by
person: speaks at|spoke at|keynotes|speaking at|will speak at|appears at: event: speaks_at
person organization: received|receives|won|wins|awarded|secured|holds: grant: received
grant program: awarded to|goes to|went to: person organization: <received
person organization: streams on|publishes on|posts on|writes on|left|moved to|publishing on|channel on|audience on|sells on: platform: publishes_on
person: completed|joined|attended|graduated from|alumna of|alumnus of: program: participated_in
organization platform: competes with|rivals|rival of|competitor of|competing with: organization platform: competes_with
grant program organization platform event: focuses on|focused on|pays for|covers|devoted to|about|dedicated to: concept: focuses_on
grant program platform organization: supports|rewards|encourages|replaces: concept: focuses_on`

// maxReach is how many words may lie between a phrase and the names that it
// relates.
const maxReach = 10

// maxObjects bounds "launches A, B and C".
const maxObjects = 3

// rule is one phrase of the rules above.
type rule struct {
	words    []string
	relation string
	before   []string
	behind   []string
	reversed bool
	near     bool
}

func parseRules(text string) map[string][]rule {
	rules := map[string][]rule{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		parts := strings.Split(strings.TrimSpace(line), ":")
		relation, reversed := strings.CutPrefix(strings.TrimSpace(parts[3]), "<")
		for phrase := range strings.SplitSeq(strings.TrimSpace(parts[1]), "|") {
			phrase, near := strings.CutPrefix(phrase, "!")
			words := strings.Fields(phrase)
			rules[words[0]] = insertRule(rules[words[0]], rule{
				words: words, relation: relation, reversed: reversed, near: near,
				before: strings.Fields(parts[0]), behind: strings.Fields(parts[2]),
			})
		}
	}
	return rules
}

func insertRule(list []rule, r rule) []rule {
	at := len(list)
	for at > 0 && len(list[at-1].words) < len(r.words) {
		at--
	}
	list = append(list, rule{})
	copy(list[at+1:], list[at:])
	list[at] = r
	return list
}

// link is a relationship between two spans, by index.
type link struct {
	from, to int
	relation string
	weight   float64
}

// relate finds the relationships between the spans, which are in order. For
// every word it looks at the few names beside it, so that the work grows with
// the text and not with the pairs of names.
func (l *lexicon) relate(tokens []token, spans []span) []link {
	var links []link
	next := 0 // the first span that starts behind the word
	for i := range tokens {
		for next < len(spans) && spans[next].from <= i {
			next++
		}
		if next > 0 && spans[next-1].to > i {
			continue // inside a name
		}
		length := 0
		for _, r := range l.rules[tokens[i].lower] {
			n := len(r.words)
			if n < length {
				break // a longer phrase has spoken
			}
			if i+n > len(tokens) || !samePhrase(tokens[i:i+n], r.words) {
				continue
			}
			if found := r.apply(tokens, spans, next, i, i+n); len(found) > 0 {
				links = append(links, found...)
				length = n
			}
			if n > 1 {
				length = n
			}
		}
	}
	return links
}

// apply relates the nearest fitting name before the phrase tokens[from:to]
// with the nearest fitting ones behind it. next is the first span behind from.
func (r rule) apply(tokens []token, spans []span, next, from, to int) []link {
	reach := maxReach
	if r.near {
		reach = 0
	}
	before := -1
	for k := next - 1; k >= 0 && from-spans[k].to <= reach && sameSentence(tokens, spans[k].from, from); k-- {
		if contains(r.before, spans[k].typ) {
			before = k
			break
		}
	}
	if before < 0 {
		return nil
	}
	var links []link
	last := -1
	for k := next; k < len(spans) && sameSentence(tokens, from, spans[k].from); k++ {
		s := spans[k]
		if s.from < to {
			continue
		}
		if last < 0 && s.from-to > reach || last >= 0 && !listed(tokens, spans[last], s) {
			break
		}
		if !contains(r.behind, s.typ) {
			if last >= 0 {
				break
			}
			continue
		}
		if same := s.typ == spans[before].typ && s.name == spans[before].name; !same {
			links = append(links, r.link(before, k, spans))
		}
		if last = k; len(links) >= maxObjects {
			break
		}
	}
	return links
}

// listed reports whether b follows a in a list: "A, B and C".
func listed(tokens []token, a, b span) bool {
	for i := a.to; i <= b.from; i++ {
		if tokens[i].gap != gapSpace && tokens[i].gap != gapComma {
			return false
		}
	}
	return b.from == a.to || b.from == a.to+1 && tokens[a.to].lower == "and"
}

func (r rule) link(before, behind int, spans []span) link {
	weight := (spans[before].confidence + spans[behind].confidence) / 2
	if r.reversed {
		return link{from: behind, to: before, relation: r.relation, weight: weight}
	}
	return link{from: before, to: behind, relation: r.relation, weight: weight}
}

func sameSentence(tokens []token, a, b int) bool { return tokens[a].sentence == tokens[b].sentence }

func contains(types []string, typ string) bool {
	for _, t := range types {
		if t == typ {
			return true
		}
	}
	return false
}
