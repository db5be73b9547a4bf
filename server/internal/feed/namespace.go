package feed

import (
	"bytes"
	"slices"
	"strings"
)

// The namespaces by which the parser knows the formats' own elements.
const (
	nsAtom10 = "http://www.w3.org/2005/Atom"
	nsAtom03 = "http://purl.org/atom/ns#"
	nsRSS10  = "http://purl.org/rss/1.0/"
)

// ownNamespace makes the namespace of the root that of its format. The name of
// the root tells the format; a namespace that is misspelt, that of another
// vocabulary, or not declared, would hide every element from the parser.
func (s *scanner) ownNamespace(t token) {
	root, p := local(t.name), t.name[:max(bytes.IndexByte(t.name, ':'), 0)]
	name := "xmlns"
	if root == "feed" && len(p) > 0 {
		name += ":" + string(p)
	}
	declared, at, found := attr{}, 0, false
	as := attrScanner{src: t.body}
	for {
		a, ok := as.next()
		if !ok {
			break
		}
		if string(a.name) == name {
			declared, at, found = a, t.start+1+len(t.name)+a.start, true
			break
		}
	}
	meant := meantNamespace(root, strings.TrimSpace(declared.text()), found, len(p) > 0)
	if meant == nil {
		return
	}
	s.notes.mend(WarnNamespace, "the namespace of the root is not that of its format; it was taken for it")
	ins := ""
	if *meant != "" {
		ins = name + `="` + *meant + `"`
	}
	if found {
		s.edit(at, declared.end-declared.start, ins)
	} else {
		s.edit(t.start+1+len(t.name), 0, " "+ins)
	}
	// The edits of the other attributes of the tag are noted already.
	slices.SortStableFunc(s.edits, func(a, b edit) int { return a.at - b.at })
}

// meantNamespace returns the namespace that a root of the given name was meant
// to have, empty for none; nil when the declared one, or that there is none,
// is right.
func meantNamespace(root, declared string, found, prefixed bool) *string {
	is := func(ns string) *string { return &ns }
	switch root {
	case "feed":
		switch {
		case declared == nsAtom10 || declared == nsAtom03 || !found && !prefixed:
			return nil
		case strings.Contains(declared, "purl.org/atom"):
			return is(nsAtom03)
		}
		return is(nsAtom10)
	case "rdf":
		if !found || declared == "" || strings.HasSuffix(declared, "/rss/1.0/") || strings.HasSuffix(declared, "/rdf/simple/0.9/") {
			return nil
		}
		return is(nsRSS10)
	}
	if found && (declared == nsAtom10 || declared == nsAtom03 || strings.Contains(declared, "purl.org")) {
		return is("")
	}
	return nil
}
