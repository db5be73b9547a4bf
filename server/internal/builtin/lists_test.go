package builtin

import (
	"slices"
	"strings"
	"testing"
)

// TestLists: every list is there, and every line of it is one that is read.
func TestLists(t *testing.T) {
	for _, name := range []string{"platforms", "organizations", "events", "products", "concepts", "places", "nationalities", "given", "heads", "cues", "words", "relations", "precision"} {
		if len(lines(name)) == 0 {
			t.Errorf("data/%s.txt is empty", name)
		}
	}
	types := []string{typePerson, typeOrganization, typePlatform, typeLocation, typeGrant, typeProgram, typeEvent, typeWork, typeProduct, typeNationality, typeMisc, typeConcept, typeAmount, typeDate}
	for _, name := range []string{"heads", "cues", "words"} {
		for _, line := range lines(name) {
			key, list, ok := strings.Cut(line, ":")
			typ, rest, typed := strings.Cut(key, " ")
			if !ok || strings.TrimSpace(list) == "" || typed && (!slices.Contains(types, typ) || !slices.Contains([]string{"last", "first", "noun", "verb"}, rest)) {
				t.Errorf("data/%s.txt: %s", name, line)
			}
		}
	}
	for _, line := range lines("relations") {
		fields := strings.Split(strings.TrimPrefix(line, "~ "), ":")
		if len(fields) != 4 {
			t.Errorf("data/relations.txt: %s", line)
			continue
		}
		for _, typ := range strings.Fields(strings.ReplaceAll(fields[0], "&", " ") + " " + fields[2]) {
			if !slices.Contains(types, typ) {
				t.Errorf("data/relations.txt: type %q in %s", typ, line)
			}
		}
		if relation := strings.TrimLeft(fields[3], " <"); sayings[relation] == "" {
			t.Errorf("data/relations.txt: no sentence for %s", relation)
		}
		for phrase := range strings.SplitSeq(fields[1], "|") {
			if strings.Trim(phrase, " !") == "" {
				t.Errorf("data/relations.txt: an empty phrase in %s", line)
			}
		}
	}
}

// TestNamesAreListedOnce: a spelling stands for one name. Where two lists have
// it, which one is meant would depend on their order.
func TestNamesAreListedOnce(t *testing.T) {
	for word, list := range New().lex.names {
		for i, a := range list {
			for _, b := range list[i+1:] {
				if a.spelling == b.spelling && a.name+a.typ != b.name+b.typ {
					t.Errorf("%s: %s (%s) and %s (%s)", word, a.name, a.typ, b.name, b.typ)
				}
			}
		}
	}
}
