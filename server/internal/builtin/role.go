package builtin

// roleRule is the pattern of "Kadri Tamm, its chief executive".
var roleRule = pattern{relation: "works_for", rule: "works_for its"}

// roles relates persons whose role stands behind their name with the
// organization that "its" or "the company's" stands for: the last one before.
func (d *document) roles() []link {
	var links []link
	for k, m := range d.found {
		if m.typ != typePerson || !d.hasRole(m.to) || d.doubtful(m.to) {
			continue
		}
		sentence := d.tokens[m.from].sentence
		for o := k - 1; o >= 0 && d.tokens[d.found[o].from].sentence >= sentence-1; o-- {
			if typ := d.found[o].typ; typ == typeOrganization || typ == typePlatform {
				links = append(links, link{from: k, to: o, at: m.to, pattern: roleRule})
				break
			}
		}
	}
	return links
}

// hasRole reads ", its chief executive" and ", the company's president" from
// token i on.
func (d *document) hasRole(i int) bool {
	if t, ok := d.after(i); !ok || t.text != "," {
		return false
	}
	t, ok := d.after(i + 1)
	if !ok {
		return false
	}
	i += 2
	switch t.lower {
	case "its":
	case "the":
		if t, ok = d.after(i); !ok || !t.possessive || t.capital {
			return false
		}
		i++
	default:
		return false
	}
	for n := 0; n < 4; n, i = n+1, i+1 {
		if t, ok = d.after(i); !ok || t.kind != word || t.capital {
			return false
		}
		if d.noun(t.lower) == typePerson {
			return true
		}
	}
	return false
}
