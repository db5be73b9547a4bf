package feed

import (
	"net/mail"
	"strings"
)

// addPerson appends the person of a text such as RSS has them: "a@example.org
// (Ann)", "Ann (a@example.org)", "Ann <a@example.org>", "a@example.org Ann",
// "a@example.org", "Ann", or the elements of Atom.
func addPerson(list []Author, text string) []Author {
	if name := childText(text, "name"); name != "" { // as in Atom
		return append(list, Author{Name: name, Email: childText(text, "email"), URL: childText(text, "uri")})
	}
	text = strings.TrimPrefix(plainLine(text, 300), "mailto:")
	if text == "" {
		return list
	}
	if open := strings.LastIndexByte(text, '('); open > 0 && strings.HasSuffix(text, ")") {
		outside, inside := strings.TrimSpace(text[:open]), strings.TrimSpace(text[open+1:len(text)-1])
		switch {
		case isEmail(outside):
			return append(list, Author{Name: inside, Email: outside})
		case isEmail(inside):
			return append(list, Author{Name: outside, Email: inside})
		}
	}
	if strings.IndexByte(text, '@') < 0 {
		return append(list, Author{Name: text})
	}
	if a, err := mail.ParseAddress(text); err == nil {
		return append(list, Author{Name: a.Name, Email: a.Address})
	}
	if address, name, found := strings.Cut(text, " "); found && isEmail(address) {
		return append(list, Author{Name: name, Email: address})
	}
	return append(list, Author{Name: text})
}

// childText returns the text of an element in the source of another.
func childText(src, name string) string {
	_, inner, found := strings.Cut(src, "<"+name+">")
	if !found {
		return ""
	}
	inner, _, _ = strings.Cut(inner, "</"+name+">")
	return decodeText([]byte(inner))
}

func isEmail(s string) bool {
	at := strings.IndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s, " \t<>()\",;")
}

// authorsOf returns the authors with clean fields, each once. An author whose
// name is missing is called by the local part of the address.
func authorsOf(list []Author, r resolver, limit int) []Author {
	var out []Author
	seen := map[string]bool{}
	for _, a := range list {
		a.Name = plainLine(a.Name, 300)
		a.Email = strings.TrimPrefix(strings.TrimSpace(a.Email), "mailto:")
		if !isEmail(a.Email) || len(a.Email) > 254 {
			a.Email = ""
		}
		if a.Name == "" {
			a.Name, _, _ = strings.Cut(a.Email, "@")
		}
		if isEmail(a.Name) && a.Email == "" {
			a.Email = a.Name
		}
		a.URL = r.link(a.URL, true)
		key := strings.ToLower(a.Name)
		if a.Name == "" || seen[key] {
			continue
		}
		seen[key] = true
		if out = append(out, a); len(out) == limit {
			break
		}
	}
	return out
}
