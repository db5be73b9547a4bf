package builtin

import (
	"strings"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// The types of what is found. They are those of the mock extractor, and more.
const (
	typePerson       = "person"
	typeOrganization = "organization"
	typePlatform     = "platform"
	typeLocation     = "location"
	typeGrant        = "grant"
	typeProgram      = "program"
	typeEvent        = "event"
	typeWork         = "work"        // a book, a film, a song
	typeProduct      = "product"     // a device, a program, a game
	typeNationality  = "nationality" // a people, a language, a religion
	typeMisc         = "misc"        // a name whose type does not show
	typeConcept      = "concept"
	typeAmount       = "amount" // of money
	typeDate         = "date"   // a day, or a month of a year
)

// mention is a name at tokens[from:to].
type mention struct {
	from, to int
	name     string // the canonical form, when it is known
	typ      string
	rule     string // what told the type; empty while nothing did
	alias    bool   // a short form: name is that of the whole
}

// document is what is known of one text while it is read.
type document struct {
	lex    *lexicon
	text   string
	tokens []token
	taken  []bool // tokens of amounts, dates and quoted titles
	prose  bool   // English prose, to which the rules of capitals apply

	lower    map[string]int                // words without a capital -> how often
	capitals map[string]int                // words with one where no sentence begins -> how often
	votes    map[string]map[string]float64 // for the types of a name
	known    map[string]mention            // names with the type of the most votes
	found    []mention                     // in order, without overlaps
}

func newDocument(lex *lexicon, text, language string) *document {
	d := &document{
		lex: lex, text: text, tokens: tokenize(text, maxRunes),
		lower: map[string]int{}, capitals: map[string]int{}, known: map[string]mention{}, votes: map[string]map[string]float64{},
	}
	d.prose = lex.english(d.tokens, language)
	d.taken = make([]bool, len(d.tokens))
	for _, t := range d.tokens {
		switch {
		case t.kind != word || t.headline:
		case !t.capital:
			d.lower[t.lower]++
		case !t.first:
			d.capitals[t.lower]++
		}
	}
	return d
}

// surface returns the text of tokens[from:to] with its white space folded.
func (d *document) surface(from, to int) string {
	return strings.Join(strings.Fields(d.text[d.tokens[from].from:d.tokens[to-1].to]), " ")
}

// key returns what two spellings of a name have in common.
func (d *document) key(from, to int) string { return kgl.NormalizeName(d.surface(from, to)) }

// take adds a mention and takes its tokens.
func (d *document) take(m mention) {
	for i := m.from; i < m.to; i++ {
		d.taken[i] = true
	}
	d.found = append(d.found, m)
}

// before returns the token left of i when it stands in the same sentence.
func (d *document) before(i int) (token, bool) {
	if i <= 0 || d.tokens[i-1].sentence != d.tokens[i].sentence {
		return token{}, false
	}
	return d.tokens[i-1], true
}

// after returns token i when it stands in the sentence of the token before it.
func (d *document) after(i int) (token, bool) {
	if i >= len(d.tokens) || d.tokens[i].sentence != d.tokens[i-1].sentence {
		return token{}, false
	}
	return d.tokens[i], true
}

// patterns finds amounts of money and, in English, dates.
func (d *document) patterns() {
	for i := 0; i < len(d.tokens); i++ {
		if to := d.amountAt(i); to > i {
			d.take(mention{from: i, to: to, name: d.surface(i, to), typ: typeAmount, rule: "amount"})
			i = to - 1
			continue
		}
		if !d.prose {
			continue
		}
		if to, name := d.dateAt(i); to > i {
			d.take(mention{from: i, to: to, name: name, typ: typeDate, rule: "date"})
			i = to - 1
		}
	}
}

// listedNames finds the listed names of a text whose capitals say nothing.
func (d *document) listedNames() {
	for i := 0; i < len(d.tokens); i++ {
		if d.taken[i] {
			continue
		}
		if e, n := lookup(d.lex.names, d.tokens, i, len(d.tokens), false); n > 0 && !e.common && !d.taken[i+n-1] && e.typ != typeNationality {
			d.take(d.listedMention(e, i, n))
			i += n - 1
		}
	}
}

// concepts finds subjects in any case, where no name is.
func (d *document) concepts() {
	for i := 0; i < len(d.tokens); i++ {
		if d.taken[i] {
			continue
		}
		if e, n := lookup(d.lex.concepts, d.tokens, i, len(d.tokens), true); n > 0 && !d.taken[i+n-1] {
			d.take(d.listedMention(e, i, n))
			i += n - 1
		}
	}
}
