package feed

import "strings"

// AlternateID returns the form of a published id under which it stays the same
// when its publisher changes what does not matter, or "" when the id has no
// such form. It is a key to compare with, never an address.
//
//   - An http or https URL becomes "url:" and its canonical form (CanonicalURL)
//     without the scheme, without a fragment and without slashes at the end:
//     from http to https, from www to the bare name, another fragment, a
//     tracking parameter more or less, a port that goes without saying.
//   - A tag URI (RFC 4151) gets its scheme and authority in lower case and
//     loses its fragment; what its authority chose stays as it is.
//   - A URN (RFC 8141, section 3) gets its scheme, namespace and the digits of
//     its escapes as the RFC compares them and loses its components; the
//     string of urn:uuid is lower case (RFC 9562), and a bare UUID, in braces
//     or not, is a urn:uuid.
//
// Two ids may have one alternate form and yet be two items, above all those
// that differ in nothing but a fragment, as in a list of changes on one page.
// So a caller takes it for the same item only where no other item of the
// document has the same alternate form.
func AlternateID(guid string) string {
	guid = guidText(guid)
	scheme, rest, ok := strings.Cut(guid, ":")
	if !ok {
		return bareUUID(guid)
	}
	switch {
	case strings.EqualFold(scheme, "http"), strings.EqualFold(scheme, "https"):
		return alternateURL(guid)
	case strings.EqualFold(scheme, "tag"):
		return alternateTag(rest)
	case strings.EqualFold(scheme, "urn"):
		return alternateURN(rest)
	}
	return ""
}

func alternateURL(guid string) string {
	canonical, err := CanonicalURL(guid)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(canonical, "://")
	rest, fragment, _ := strings.Cut(rest, "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	out := "url:" + strings.TrimRight(path, "/")
	if hasQuery {
		out += "?" + query
	}
	// What CanonicalURL leaves of a fragment is a route, which is the page.
	if fragment != "" {
		out += "#" + fragment
	}
	return boundKey(out)
}

// alternateTag reads what follows "tag:": an authority, a date and what the
// authority chose.
func alternateTag(rest string) string {
	rest, _, _ = strings.Cut(rest, "#")
	rest = strings.TrimSpace(rest) // what stood before a fragment
	entity, specific, ok := strings.Cut(rest, ":")
	authority, date, dated := strings.Cut(entity, ",")
	if !ok || !dated || authority == "" || date == "" || !isDigit(date[0]) || specific == "" {
		return ""
	}
	return boundKey("tag:" + strings.ToLower(authority) + "," + date + ":" + specific)
}

// alternateURN reads what follows "urn:": a namespace and its string, behind
// which "?+", "?=" and "#" begin components that do not take part in comparing.
func alternateURN(rest string) string {
	rest, _, _ = strings.Cut(rest, "#")
	for _, component := range []string{"?+", "?="} {
		rest, _, _ = strings.Cut(rest, component)
	}
	rest = strings.TrimSpace(rest)
	namespace, specific, ok := strings.Cut(rest, ":")
	namespace = strings.ToLower(namespace)
	if !ok || len(namespace) < 2 || len(namespace) > 32 || specific == "" || strings.Trim(namespace, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	if namespace == "uuid" {
		specific = strings.ToLower(specific)
	}
	return boundKey("urn:" + namespace + ":" + upperEscapes(specific))
}

// upperEscapes writes the digits of percent-encoded bytes in upper case.
func upperEscapes(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' && isHex(b[i+1]) && isHex(b[i+2]) {
			copy(b[i+1:], strings.ToUpper(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// bareUUID returns a UUID that stands alone as a URN, empty for anything else.
func bareUUID(id string) string {
	if strings.HasPrefix(id, "{") && strings.HasSuffix(id, "}") {
		id = id[1 : len(id)-1]
	}
	if len(id) != 36 {
		return ""
	}
	for i := range len(id) {
		switch i {
		case 8, 13, 18, 23:
			if id[i] != '-' {
				return ""
			}
		default:
			if !isHex(id[i]) {
				return ""
			}
		}
	}
	return "urn:uuid:" + strings.ToLower(id)
}
