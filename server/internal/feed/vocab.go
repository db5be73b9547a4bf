package feed

import "bytes"

// What the formats' elements are to the scanner and the repairer. Names are
// local names in lower case.

// isItemName reports whether a child of the root or of the channel is an item.
func isItemName(name []byte) bool {
	switch local(name) {
	case "item", "entry":
		return !isExtensionPrefix(prefix(name))
	}
	return false
}

// isRootName reports whether an element is the root of a feed.
func isRootName(name []byte) bool {
	switch local(name) {
	case "rss", "rdf", "feed":
		return !isExtensionPrefix(prefix(name))
	}
	return false
}

func isChannelName(name []byte) bool {
	return local(name) == "channel" && !isExtensionPrefix(prefix(name))
}

// isFeedElement reports whether an element is one of the feed's own, at which a
// piece of markup that has lost its end ends at the latest.
func isFeedElement(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	return isItemName(name) || isRootName(name) || isChannelName(name) || isSibling(name, false) || isSibling(name, true)
}

// identifies reports whether a field tells the items of a document apart, so
// that an item has it once.
func identifies(name []byte, atom bool) bool {
	if prefix(name) != "" && !atom {
		return false
	}
	switch local(name) {
	case "title":
		return true
	case "guid":
		return !atom
	case "id":
		return atom
	}
	return false
}

// isKeyField reports whether a part of a field's text is worse than none: a
// cut-off link or date leads to something else.
func isKeyField(name []byte) bool {
	switch local(name) {
	case "link", "guid", "id", "pubdate", "date", "updated", "published", "modified", "issued", "url", "uri", "comments",
		"origlink":
		return true
	}
	return false
}

// isKnownContainer reports whether an element holds other elements of a feed.
func isKnownContainer(name []byte) bool {
	if prefix(name) != "" {
		return true
	}
	switch local(name) {
	case "author", "contributor", "source", "image", "textinput", "skiphours", "skipdays", "items", "seq", "owner", "group":
		return true
	}
	return false
}

// isHTMLBlock reports whether an element of an item is HTML that got there by
// mistake: the fields of the item are not inside of it.
func isHTMLBlock(name []byte) bool {
	switch string(bytes.ToLower(name)) {
	case "div", "p", "span", "b", "i", "a", "ul", "ol", "li", "br", "table", "tr", "td", "center", "font",
		"strong", "em", "pre", "blockquote", "h1", "h2", "h3", "h4", "script", "style", "body", "html", "head":
		return true
	}
	return false
}

// isExtensionPrefix reports whether a prefix is by custom that of a vocabulary
// whose elements are never the items of a feed.
func isExtensionPrefix(p string) bool {
	switch p {
	case "media", "itunes", "podcast", "content", "dc", "dcterms", "dcq", "georss", "gml", "geo",
		"thr", "slash", "wfw", "sy", "yt", "opensearch", "feedburner", "cc", "creativecommons",
		"xhtml", "html", "h", "xhtm", "app", "gd", "psc", "googleplay", "admin", "trackback",
		"batch", "sx", "re", "prism", "foaf", "xmedia", "jf", "ya":
		return true
	}
	return false
}

// isVoid reports whether an element holds nothing but its attributes, so that
// a missing end tag is supplied at once.
func isVoid(name, attrs []byte) bool {
	switch l := local(name); l {
	case "enclosure", "cloud", "thumbnail", "restriction", "li":
		return true
	case "link":
		_, href := findAttr(attrs, "href")
		return href
	case "category":
		_, term := findAttr(attrs, "term")
		return term
	}
	return false
}

// isLeaf reports whether an element holds text, or markup that is content:
// the repairer keeps what is inside, escaped, and looks for no structure in it.
func isLeaf(name []byte, atom bool) bool {
	p, l := prefix(name), local(name)
	switch p {
	case "dc", "dcterms", "sy", "slash", "wfw", "thr", "feedburner", "georss":
		return true
	case "content":
		return l == "encoded"
	case "itunes":
		return l != "owner" && l != "category" && l != "image"
	case "media":
		return l == "title" || l == "description" || l == "keywords" || l == "credit" || l == "text"
	}
	if isExtensionPrefix(p) {
		return false
	}
	switch l {
	case "title", "link", "description", "guid", "pubdate", "id", "updated", "published", "modified", "issued",
		"created", "summary", "content", "subtitle", "tagline", "rights", "copyright", "category", "comments",
		"language", "generator", "docs", "ttl", "rating", "managingeditor", "webmaster", "lastbuilddate",
		"name", "email", "uri", "url", "homepage", "icon", "logo", "hour", "day", "width", "height", "encoded",
		"date", "creator", "body", "fulltext":
		return true
	case "author", "source":
		return !atom
	}
	return false
}

// isCDATAHolder reports whether an element is one that feeds wrap in CDATA and
// that does not occur in HTML.
func isCDATAHolder(local string) bool {
	switch local {
	case "description", "encoded", "content", "guid", "pubdate", "category", "creator", "author", "comments",
		"item", "entry", "channel", "subtitle", "link", "title", "summary":
		return true
	}
	return false
}

// isSibling reports whether a start tag inside of an unclosed leaf is more
// likely the next field of the item than a part of the leaf.
func isSibling(name []byte, atom bool) bool {
	p := prefix(name)
	if p != "" && p != "xhtml" && p != "html" && p != "h" {
		return true
	}
	switch l := local(name); l {
	case "title", "link", "description", "guid", "pubdate", "category", "comments", "enclosure", "author", "source",
		"image", "textinput", "language", "generator", "docs", "ttl", "copyright", "managingeditor", "webmaster",
		"lastbuilddate", "cloud", "skiphours", "skipdays", "items":
		return !atom || l == "title" || l == "link" || l == "category" || l == "author" || l == "source" || l == "generator"
	case "id", "updated", "published", "summary", "content", "subtitle", "rights", "contributor",
		"modified", "issued", "created", "tagline", "icon", "logo":
		return atom
	}
	return false
}

// fitsIn reports whether a child may stand in a container. What may not ends
// the container, which has lost its end tag.
func fitsIn(container, child []byte, atom bool) bool {
	c := local(child)
	if isExtensionPrefix(prefix(container)) {
		return prefix(child) != "" || !isSibling(child, atom)
	}
	if isHTMLBlock(container) && isSibling(child, atom) {
		return false
	}
	switch local(container) {
	case "author", "contributor":
		switch c {
		case "name", "email", "uri", "url", "homepage":
			return true
		}
		return prefix(child) != ""
	case "image", "textinput":
		switch c {
		case "title", "url", "link", "width", "height", "description", "name":
			return true
		}
		return prefix(child) != ""
	case "skiphours":
		return c == "hour"
	case "skipdays":
		return c == "day"
	}
	return true
}
