package builtin

import "strings"

// sayings turns a relationship into a sentence.
var sayings = map[string]string{
	"offers": "offers", "launched": "launched", "hosts": "hosts", "acquires": "acquires", "partners_with": "partners with",
	"located_in": "is located in", "founded": "founded", "works_for": "works for", "funded_by": "is funded by",
	"invests_in": "invests in", "speaks_at": "speaks at", "received": "received", "publishes_on": "publishes on",
	"participated_in": "took part in", "competes_with": "competes with", "focuses_on": "focuses on",
	"has_amount": "offers", "has_deadline": "closes on", "co_occurs_with": "is named together with",
}

// fact says a relationship as a sentence.
func (d *document) fact(l link) string {
	return sentence(d.nameOf(l.from), l.pattern.relation, d.nameOf(l.to))
}

func (d *document) nameOf(k int) string {
	if m := d.found[k]; m.name == "" {
		return d.surface(m.from, m.to)
	}
	return d.found[k].name
}

func sentence(from, relation, to string) string {
	says, ok := sayings[relation]
	if !ok {
		says = strings.ReplaceAll(relation, "_", " ")
	}
	return from + " " + says + " " + strings.TrimSuffix(to, ".") + "."
}
