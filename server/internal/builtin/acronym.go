package builtin

import "strings"

// learnAcronyms reads "Open Creator Fund (OCF)" and "OCF (Open Creator Fund)":
// what is right for the one is right for the other.
func (d *document) learnAcronyms(open []mention) {
	for i := 1; i < len(open); i++ {
		long, short := open[i-1], open[i]
		if short.from != long.to+1 || d.tokens[long.to].text != "(" {
			continue
		}
		if long.to-long.from == 1 {
			long, short = short, long
		}
		if short.to-short.from != 1 || long.to-long.from < 2 || !d.abbreviates(short.from, long) {
			continue
		}
		whole, ok := d.known[d.key(long.from, long.to)]
		if !ok {
			whole.typ = typeOrganization
		}
		name := d.surface(long.from, long.to)
		d.known[d.key(long.from, long.to)] = mention{name: name, typ: whole.typ, rule: "acronym"}
		d.known[d.key(short.from, short.to)] = mention{name: name, typ: whole.typ, rule: "acronym", alias: true}
	}
}

// abbreviates reports whether the word at token i has the first letters of a
// name, small words counted or not.
func (d *document) abbreviates(i int, m mention) bool {
	w := strings.TrimSuffix(strings.ReplaceAll(d.tokens[i].lower, ".", ""), "s")
	if len(w) < 2 {
		return false
	}
	var all, capitals strings.Builder
	for _, t := range d.tokens[m.from:m.to] {
		if t.kind == mark {
			continue
		}
		for part := range strings.SplitSeq(t.lower, "-") {
			if part == "" {
				continue
			}
			all.WriteByte(part[0])
			if t.capital {
				capitals.WriteByte(part[0])
			}
		}
	}
	return len(all.String()) > 1 && (all.String() == w || capitals.String() == w || strings.HasPrefix(capitals.String(), w) && len(w) > 2)
}

// beside gives a name whose type nothing tells that of the name it is listed
// with: "Camden and Atlantic City".
func (d *document) beside(open []mention) {
	for range 2 { // forward in lists, then what is left
		for i := range open {
			if open[i].rule != "" || d.known[d.key(open[i].from, open[i].to)].rule != "" {
				continue
			}
			for _, k := range []int{i - 1, i + 1} {
				if k < 0 || k >= len(open) || !d.coordinated(open[min(i, k)], open[max(i, k)]) {
					continue
				}
				typ := open[k].typ
				if known, ok := d.known[d.key(open[k].from, open[k].to)]; ok {
					typ = known.typ
				}
				if typ != "" && typ != typeNationality {
					open[i].typ, open[i].rule = typ, "beside "+typ
					d.learn(open[i])
					break
				}
			}
		}
	}
}

// coordinated reports whether b follows a in a list: "A, B and C".
func (d *document) coordinated(a, b mention) bool {
	if b.from <= a.to || b.from-a.to > 3 || d.tokens[a.to].sentence != d.tokens[b.from].sentence || d.tokens[a.to-1].possessive {
		return false
	}
	for _, t := range d.tokens[a.to:b.from] {
		if t.text != "," && t.lower != "and" && t.lower != "or" && t.lower != "the" && t.text != "&" && t.text != ";" {
			return false
		}
	}
	return true
}
