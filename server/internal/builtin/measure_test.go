package builtin

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

var writePrecision = flag.Bool("write", false, "write data/precision.txt")

var showErrors = flag.Int("errors", 0, "show so many faults of the half of wikigold that rules are developed with")

// score counts what was found against what was marked.
type score struct{ right, found, marked int }

func (s score) precision() float64 { return float64(s.right) / float64(max(s.found, 1)) }
func (s score) recall() float64    { return float64(s.right) / float64(max(s.marked, 1)) }
func (s score) f1() float64        { return 2 * float64(s.right) / float64(max(s.found+s.marked, 1)) }

func (s score) String() string {
	return fmt.Sprintf("precision %.3f recall %.3f F1 %.3f (%d right of %d found, %d marked)", s.precision(), s.recall(), s.f1(), s.right, s.found, s.marked)
}

// evaluation is what measuring a set gives.
type evaluation struct {
	untyped, typed score
	types          map[string]*score
	rules          map[string]*tally
	wrong          []string
}

// evaluate reads every text of a set. coarse maps the types of the extractor to
// those of the set; a type that it maps to nothing is not counted.
func evaluate(x *Extractor, set []labelled, coarse func(string) string) evaluation {
	e := evaluation{types: map[string]*score{}, rules: map[string]*tally{}}
	of := func(typ string) *score {
		if e.types[typ] == nil {
			e.types[typ] = &score{}
		}
		return e.types[typ]
	}
	for _, doc := range set {
		marked := map[[2]int][]label{} // some places have two types
		for _, l := range doc.labels {
			marked[[2]int{l.start, l.end}] = append(marked[[2]int{l.start, l.end}], l)
			of(l.typ).marked++
			e.untyped.marked++
			e.typed.marked++
		}
		d := x.read(kgl.Content{ContentBody: kgl.ContentBody{Text: doc.text}})
		for _, m := range d.found {
			typ := coarse(m.typ)
			if typ == "" {
				continue
			}
			place := [2]int{d.tokens[m.from].start, d.tokens[m.to-1].end}
			labels := marked[place]
			hit := len(labels) > 0
			right := slices.ContainsFunc(labels, func(l label) bool { return l.typ == typ })
			if e.rules[m.rule] == nil {
				e.rules[m.rule] = &tally{}
			}
			e.rules[m.rule].all++
			if right {
				e.rules[m.rule].right++
			}
			if x.lex.confidence(m.rule) < minConfidence {
				continue // it is not told
			}
			delete(marked, place)
			of(typ).found++
			e.untyped.found++
			e.typed.found++
			if hit {
				e.untyped.right++
			}
			if right {
				of(typ).right++
				e.typed.right++
				continue
			}
			is := "-"
			if hit {
				is = labels[0].typ
			}
			e.wrong = append(e.wrong, fmt.Sprintf("%-8s %-22s %s", is+"/"+typ, m.rule, d.around(m)))
		}
		for _, labels := range marked {
			e.wrong = append(e.wrong, fmt.Sprintf("%-8s %-22s %s", labels[0].typ+"/-", "", aroundLabel(doc.text, labels[0])))
		}
	}
	return e
}

// names returns every way in which the text names an entity, folded.
func names(e kgl.ExtractedEntity) map[string]bool {
	set := map[string]bool{kgl.NormalizeName(e.Name): true}
	for _, s := range e.Spans {
		set[kgl.NormalizeName(s.Quote)] = true
	}
	return set
}

// evaluateFacts compares the relationships of a set, by names and type. rules
// counts them for each pattern.
func evaluateFacts(x *Extractor, set []labelled) evaluation {
	e := evaluation{types: map[string]*score{}, rules: map[string]*tally{}}
	of := func(typ string) *score {
		if e.types[typ] == nil {
			e.types[typ] = &score{}
		}
		return e.types[typ]
	}
	for _, doc := range set {
		left := slices.Clone(doc.facts)
		for _, f := range left {
			of(f.typ).marked++
			e.typed.marked++
		}
		d := x.read(kgl.Content{ContentBody: kgl.ContentBody{Text: doc.text}})
		entities, list, rules := d.facts()
		for i, r := range list {
			from, to := names(entities[r.From]), names(entities[r.To])
			at := slices.IndexFunc(left, func(f fact) bool {
				return f.typ == r.Type && from[kgl.NormalizeName(f.from)] && to[kgl.NormalizeName(f.to)]
			})
			rule := rules[i]
			if e.rules[rule] == nil {
				e.rules[rule] = &tally{}
			}
			e.rules[rule].all++
			of(r.Type).found++
			e.typed.found++
			if at < 0 {
				e.wrong = append(e.wrong, fmt.Sprintf("+ %s (%s): %s", r.Fact, rule, r.Evidence.Quote))
				continue
			}
			left = slices.Delete(left, at, at+1)
			e.rules[rule].right++
			of(r.Type).right++
			e.typed.right++
		}
		for _, f := range left {
			e.wrong = append(e.wrong, fmt.Sprintf("- %s %s %s: %s", f.from, f.typ, f.to, doc.text))
		}
	}
	e.untyped = e.typed
	return e
}

// facts returns the relationships of a document, each once, and the patterns
// that made them.
func (d *document) facts() ([]kgl.ExtractedEntity, []kgl.ExtractedRelationship, []string) {
	x := d.result("")
	type edge struct {
		from, to int
		typ      string
	}
	seen := map[edge]bool{}
	var list []kgl.ExtractedRelationship
	var rules []string
	for _, r := range x.Relationships {
		if key := (edge{r.From, r.To, r.Type}); !seen[key] {
			seen[key] = true
			list = append(list, r)
			rules = append(rules, d.ruleOf(x, r))
		}
	}
	return x.Entities, list, rules
}

// ruleOf finds the pattern that made a relationship.
func (d *document) ruleOf(x kgl.Extraction, r kgl.ExtractedRelationship) string {
	for _, l := range d.links() {
		from, to := x.Entities[r.From], x.Entities[r.To]
		if l.pattern.relation == r.Type && kgl.NormalizeName(d.nameOf(l.from)) == kgl.NormalizeName(from.Name) && kgl.NormalizeName(d.nameOf(l.to)) == kgl.NormalizeName(to.Name) {
			return l.pattern.rule
		}
	}
	return r.Type
}

func (d *document) around(m mention) string {
	from, to := max(m.from-5, 0), min(m.to+5, len(d.tokens))
	t := d.tokens
	return strings.ReplaceAll(d.text[t[from].from:t[m.from].from]+"["+d.text[t[m.from].from:t[m.to-1].to]+"]"+d.text[t[m.to-1].to:t[to-1].to], "\n", " ")
}

func aroundLabel(text string, l label) string {
	r := []rune(text)
	return string(r[max(0, l.start-30):l.start]) + "[" + string(r[l.start:l.end]) + "]" + string(r[l.end:min(len(r), l.end+30)])
}

func (e evaluation) log(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s\n  untyped %s\n  typed   %s", what, e.untyped, e.typed)
	for _, typ := range slices.Sorted(maps.Keys(e.types)) {
		t.Logf("  %-14s %s", typ, e.types[typ])
	}
}

func (e evaluation) logRules(t *testing.T) {
	t.Helper()
	for _, rule := range slices.SortedFunc(maps.Keys(e.rules), func(a, b string) int { return e.rules[b].all - e.rules[a].all }) {
		r := e.rules[rule]
		t.Logf("  %-24s %4d of %4d  %.2f", rule, r.right, r.all, float64(r.right)/float64(r.all))
	}
}

// conll maps our types to those of wikigold. Amounts, dates and subjects are not
// marked there.
func conll(typ string) string {
	switch typ {
	case typePerson:
		return "PER"
	case typeOrganization, typePlatform:
		return "ORG"
	case typeLocation:
		return "LOC"
	case typeAmount, typeDate, typeConcept:
		return ""
	}
	return "MISC"
}

func same(typ string) string { return typ }

func TestMeasureWikigold(t *testing.T) {
	x := New()
	develop, held := halves(wikigold(t))
	e := evaluate(x, develop, conll)
	e.log(t, "wikigold, the half to develop with")
	if *showErrors > 0 {
		e.logRules(t)
		for i, w := range e.wrong {
			if i%max(1, len(e.wrong) / *showErrors) == 0 {
				t.Log(w)
			}
		}
	}
	if *showErrors == 0 {
		evaluate(x, held, conll).log(t, "wikigold, the half that was held out")
		evaluate(x, wikigold(t), conll).log(t, "wikigold, whole")
	}
}

func TestMeasureNews(t *testing.T) {
	develop, held := halves(news(t))
	e := evaluate(New(), develop, same)
	e.log(t, "news, the half to develop with")
	if *showErrors > 0 {
		for _, w := range e.wrong {
			t.Log(w)
		}
	}
	evaluate(New(), held, same).log(t, "news, the half that was held out")
}

const precisionHead = `# What each rule finds on labelled text: how much of it is right, as "right/all",
# on the half of wikigold and on the half of testdata/news.txt that rules are
# developed with; relationships on the whole of testdata/news.txt, because few
# are marked and the patterns know those of the one half too well. The sum is the
# confidence of what the rule finds: (right+1)/(all+2).
# "make measure-enrichment WRITE=1" writes this file.
`

// precisionFile returns the text of data/precision.txt as it is measured.
func precisionFile(gold, news evaluation) string {
	rules := map[string]bool{}
	for _, e := range []evaluation{gold, news} {
		for rule := range e.rules {
			rules[rule] = true
		}
	}
	var b strings.Builder
	b.WriteString(precisionHead)
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		g, n := cmp.Or(gold.rules[rule], &tally{}), cmp.Or(news.rules[rule], &tally{})
		fmt.Fprintf(&b, "%s: %d/%d %d/%d\n", rule, g.right, g.all, n.right, n.all)
	}
	return b.String()
}

// measuredPrecision measures the rules of an extractor.
func measuredPrecision(x *Extractor, gold, own []labelled) string {
	develop, _ := halves(own)
	mine := evaluate(x, develop, same)
	maps.Copy(mine.rules, evaluateFacts(x, own).rules)
	return precisionFile(evaluate(x, gold, conll), mine)
}

// TestPrecisionOfNews: the counts of the own set are those that are measured.
// That of the other set is TestPrecision, where the corpus is.
func TestPrecisionOfNews(t *testing.T) {
	if *writePrecision {
		return // they are about to change
	}
	want := map[string]string{}
	for line := range strings.Lines(measuredPrecision(New(), nil, news(t))) {
		if rule, counts, ok := strings.Cut(strings.TrimSpace(line), ": 0/0 "); ok {
			want[rule] = counts
		}
	}
	for _, line := range lines("precision") {
		rule, counts, _ := strings.Cut(line, ": ")
		_, is, _ := strings.Cut(counts, " ")
		if is != cmp.Or(want[rule], "0/0") {
			t.Errorf("%s is %s, measured is %q: make measure-enrichment WRITE=1", rule, is, want[rule])
		}
		delete(want, rule)
	}
	for rule, counts := range want {
		t.Errorf("data/precision.txt lacks %s: %s", rule, counts)
	}
}

// TestPrecision: the confidences that results carry are those that are measured.
func TestPrecision(t *testing.T) {
	gold, _ := halves(wikigold(t))
	want := measuredPrecision(New(), gold, news(t))
	if *writePrecision {
		if err := os.WriteFile("data/precision.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, err := os.ReadFile("data/precision.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(is) != want {
		t.Errorf("data/precision.txt is not what is measured: make measure-enrichment WRITE=1")
	}
}

func TestMeasureFacts(t *testing.T) {
	develop, held := halves(news(t))
	e := evaluateFacts(New(), develop)
	e.log(t, "relationships, the half to develop with")
	if *showErrors > 0 {
		e.logRules(t)
		for _, w := range e.wrong {
			t.Log(w)
		}
	}
	evaluateFacts(New(), held).log(t, "relationships, the half that was held out")
}

// TestCoOccurrencePrecision: the confidence of co-occurrence is how often a
// person related the two, too.
func TestCoOccurrencePrecision(t *testing.T) {
	x := New()
	right, all := 0, 0
	for _, doc := range news(t) {
		found := extract(t, x, kgl.ContentBody{Text: doc.text})
		for _, r := range found.Relationships {
			if r.Type != CoOccursWith {
				continue
			}
			all++
			a, b := names(found.Entities[r.From]), names(found.Entities[r.To])
			if slices.ContainsFunc(doc.facts, func(f fact) bool {
				from, to := kgl.NormalizeName(f.from), kgl.NormalizeName(f.to)
				return a[from] && b[to] || a[to] && b[from]
			}) {
				right++
			}
		}
	}
	is := float64(right) / float64(all)
	t.Logf("%d of %d pairs that only co-occur are related by a person: %.2f", right, all, is)
	if math.Abs(is-coOccurrenceConfidence) > 0.03 {
		t.Errorf("the confidence is %v", coOccurrenceConfidence)
	}
}

// military maps our types to those of re3d. What it has no word for is not
// counted.
func military(typ string) string {
	switch typ {
	case typePerson:
		return "Person"
	case typeOrganization, typePlatform:
		return "Organisation"
	case typeLocation:
		return "Location"
	case typeNationality:
		return "Nationality"
	case typeAmount:
		return "Money"
	}
	return ""
}

// TestMeasureRe3d measures on a corpus of another kind: it marks phrases with
// their articles and titles ("the Kurdish YPG", "Foreign Office Minister Tobias
// Ellwood"), common nouns and pronouns ("civilians", "we"), names inside of
// phrases, and some names twice with two types. So it is counted twice: against
// everything, and against the names, which are the marked places that begin with
// a capital, without their article, and hold no other one.
func TestMeasureRe3d(t *testing.T) {
	x := New()
	set := re3d(t)
	types := map[string]bool{"Person": true, "Organisation": true, "Location": true, "Nationality": true, "Money": true}
	for i := range set {
		set[i].labels = slices.DeleteFunc(set[i].labels, func(l label) bool { return !types[l.typ] })
	}
	evaluate(x, set, military).log(t, "re3d, everything that is marked of five types")
	for i := range set {
		set[i].labels = innermost(properNames(set[i].labels))
	}
	evaluate(x, set, military).log(t, "re3d, names only")
}

func properNames(labels []label) (list []label) {
	for _, l := range labels {
		for _, article := range []string{"the ", "The ", "a ", "A ", "all "} {
			if rest, ok := strings.CutPrefix(l.text, article); ok {
				l.text, l.start = rest, l.start+len(article)
			}
		}
		first, _ := utf8.DecodeRuneInString(l.text)
		if len(l.text) > 1 && (unicode.IsUpper(first) || l.typ == "Money") {
			list = append(list, l)
		}
	}
	return list
}

// innermost leaves out what holds another marked place, and second types.
func innermost(labels []label) (list []label) {
	for i, a := range labels {
		holds := slices.ContainsFunc(labels, func(b label) bool {
			return a.start <= b.start && b.end <= a.end && b.end-b.start < a.end-a.start
		})
		again := slices.ContainsFunc(labels[:i], func(b label) bool { return a.start == b.start && a.end == b.end })
		if !holds && !again {
			list = append(list, a)
		}
	}
	return list
}
