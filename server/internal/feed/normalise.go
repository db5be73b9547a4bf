package feed

import (
	"context"
	"html"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/html/atom"
)

// normaliser turns parsed items into items. The rules of links:
//
//   - Relative links of an item resolve against xml:base where one is in
//     scope; else in RSS and JSON Feed against the site's link, in Atom
//     against the URL of the document (RFC 4287); each stands in for the other.
//   - Relative links inside of the content resolve against xml:base, else
//     against the item's own link.
//   - An item's link is the first usable one of: the link that feedburner
//     replaced, its link, a guid that is a permalink, rdf:about, an Atom
//     alternate; in Atom the HTML alternate, another alternate, the id when
//     it is a URL, the link to itself.
type normaliser struct {
	raw   *rawFeed
	opts  Options
	scope *scope
	doc   *Document
	notes *notes
}

// scope is what the items of a document have of it, and what it takes to
// finish one. It does not change once the first item is read.
type scope struct {
	limits   Limits
	links    resolver // of items without a base of their own
	document resolver // where the document was read from, else the site
	base     string   // xml:base in scope of the feed's own fields
	authors  []Author
	language string
	order    dateOrder

	scratch sync.Pool // of *sanitiser, for the items that are finished at the same time
	buf     []byte    // of rawHash, which is not used once the document is read
}

func normalise(ctx context.Context, raw *rawFeed, opts Options, n *notes) (*Document, error) {
	z := &normaliser{raw: raw, opts: opts, doc: &Document{Skipped: raw.skipped}, notes: n}
	n.enter(StageNormalise)
	z.meta()
	items := make([]Item, 0, len(raw.items))
	for i := range raw.items {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		it, ok := z.item(ctx, i)
		raw.items[i] = rawItem{} // the item holds it now, and frees it when it is finished
		if !ok {
			z.doc.Skipped++
			continue
		}
		items = append(items, it)
	}
	z.scope.buf = nil
	if z.doc.Items = identify(ctx, items, z.doc, n); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if len(z.doc.Items) == 0 {
		if len(raw.items) == 0 && raw.title.value == "" && len(raw.links) == 0 && n.repaired {
			return nil, invalid("nothing of the document could be read")
		}
		n.add(WarnNoItems, "the feed has no items")
	}
	z.doc.Warnings = n.list
	z.doc.Repaired = n.repaired
	z.doc.Stages = n.stages
	return z.doc, nil
}

func (z *normaliser) meta() {
	raw, lim := z.raw, z.opts.Limits
	document := newResolver(raw.base, z.opts.BaseURL)
	m := Meta{
		Format:      raw.format,
		Version:     clip(raw.version, 20),
		Title:       titleText(raw.title, lim.MaxTitle),
		Description: clip(collapse(markupText(raw.description, 16*lim.MaxSummary)), lim.MaxSummary),
		Language:    languageTag(raw.language),
		SelfURL:     document.link(raw.selfURL, false),
		TTL:         raw.ttl.interval(),
		SkipHours:   raw.ttl.hours(),
		SkipDays:    raw.ttl.days(),
	}
	m.Link = document.first(raw.links)
	links := newResolver(raw.base, z.opts.BaseURL, m.Link)
	if raw.format != FormatAtom {
		links = newResolver(raw.base, m.Link, z.opts.BaseURL)
	}
	m.ImageURL = links.link(raw.imageURL, false)
	m.Authors = authorsOf(raw.authors, links, lim.MaxList)
	order := orderOf(raw.items)
	if t, state, _ := firstUsable(raw.updated, order, z.opts.Now); state == dateOK {
		m.Updated = t
	}
	m.MovedTo = document.link(raw.movedTo, false)
	m.PodcastGUID, m.Medium = plainLine(raw.guid, 200), plainLine(raw.medium, 50)
	z.doc.Feed = m
	z.scope = &scope{
		limits: lim, links: links, document: newResolver(z.opts.BaseURL, m.Link), base: raw.base,
		authors: m.Authors, language: m.Language, order: order,
	}
}

// item reads what is cheap to read of an item, and leaves the rest to finish;
// false when it is empty or cannot be read. A panic costs this item only.
func (z *normaliser) item(ctx context.Context, i int) (it Item, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			z.notes.mend(WarnItemSkipped, "item %d could not be read", i+1)
			it, ok = Item{}, false
		}
	}()
	it.pending = &pending{raw: z.raw.items[i], scope: z.scope}
	raw := &it.pending.raw
	it.Repaired, it.Warnings = len(raw.mended) > 0, raw.mended
	links := z.scope.linksOf(raw)
	it.GUID = guidText(raw.id)
	it.URL = links.first(raw.links)
	if it.URL == "" {
		it.warn(WarnLinkMissing, "no usable link was published")
	} else if canonical, err := CanonicalURL(it.URL); err == nil {
		it.CanonicalURL = canonical
	}
	it.Title = titleText(raw.title, z.opts.Limits.MaxTitle)
	d := dates(raw.published, raw.updated, it.URL, z.scope.order, z.opts.Now)
	it.PublishedAt, it.PublishedAtSource, it.ModifiedAt = d.published, d.source, d.modified
	it.PublishedInferred = d.source == PublishedFetched
	it.Warnings = append(it.Warnings, d.warnings...)
	it.RawHash = z.scope.rawHash(raw, links)
	if z.notes.cutItem && i == len(z.raw.items)-1 {
		it.warn(WarnTruncated, "the document ends inside of this item")
	}
	if it.GUID != "" || it.URL != "" {
		return it, true
	}
	// Only the whole item tells whether it says anything, and which it is.
	if err := it.Finish(ctx); err != nil {
		z.notes.mend(WarnItemSkipped, "item %d could not be read", i+1)
		return Item{}, false
	}
	if it.isEmpty() {
		z.notes.add(WarnItemEmpty, "an item that says nothing was left out")
		return Item{}, false
	}
	return it, true
}

// finish fills what item left out.
func (s *scope) finish(raw *rawItem, it *Item) {
	lim := s.limits
	scratch := s.sanitiser()
	defer s.scratch.Put(scratch)
	links := s.linksOf(raw)
	s.content(raw, it, s.contentLinks(raw, it.URL, links), scratch)
	it.Authors = authorsOf(raw.authors, links, lim.MaxList)
	if len(it.Authors) == 0 {
		it.Authors = s.authors
	}
	it.Categories = categoriesOf(raw.categories, lim.MaxList)
	it.Enclosures = enclosuresOf(raw.enclosures, links, lim.MaxList)
	if it.Language = languageTag(raw.language); it.Language == "" {
		it.Language = s.language
	}
	it.CommentsURL = links.first(raw.comments)
	it.ImageURL = s.image(raw, it, links)
	it.Media = raw.media.clean(links, lim.MaxList)
	it.WordCount = wordCount(it.ContentText)
	it.ContentHash = contentHashIn(&scratch.hashed, it)
	it.TextHash = textHashIn(&scratch.hashed, it.ContentText)
}

func (s *scope) sanitiser() *sanitiser {
	if x, ok := s.scratch.Get().(*sanitiser); ok {
		return x
	}
	return newSanitiser()
}

// linksOf returns what resolves the links of an item.
func (s *scope) linksOf(raw *rawItem) resolver {
	if raw.base == "" {
		return s.links
	}
	return s.rebase(raw.base)
}

// contentLinks returns what resolves the links inside of an item's content.
func (s *scope) contentLinks(raw *rawItem, itemURL string, links resolver) resolver {
	switch {
	case raw.contentBase != "" && raw.contentBase != raw.base:
		return s.rebase(raw.contentBase)
	case raw.base == "" && s.base == "" && itemURL != "":
		return newResolver(itemURL)
	}
	return links
}

// isEmpty reports whether an item says nothing about itself.
func (it *Item) isEmpty() bool {
	return it.GUID == "" && it.URL == "" && it.Title == "" && it.Summary == "" && it.ContentHTML == "" &&
		len(it.Categories) == 0 && len(it.Enclosures) == 0 && it.PublishedInferred && it.ModifiedAt.IsZero()
}

func (it *Item) warn(code WarningCode, message string) {
	it.Warnings = append(it.Warnings, Warning{code, message})
}

// rebase returns a resolver for an xml:base of the document.
func (s *scope) rebase(base string) resolver {
	if link := s.document.link(base, false); link != "" {
		return newResolver(link)
	}
	return s.links
}

// content fills HTML, text and summary. Without content, or when nothing of it
// may stay, the summary is the content; without a summary the beginning of the
// content is the summary.
func (s *scope) content(raw *rawItem, it *Item, base resolver, scratch *sanitiser) {
	lim := s.limits
	for i, m := range slices.Concat(raw.content, raw.summary) {
		m = m.decoded()
		body := scratch.sanitise(markupHTML(m), base, lim.MaxHTML, lim.MaxText)
		it.ContentHTML, it.ContentText, it.contentImage = body.html, body.text, body.image
		if len(m.value) > lim.MaxHTML {
			it.warn(WarnFieldCut, "the content was longer than its limit and was cut")
		}
		if it.ContentHTML != "" || i == 3 {
			break // such as of content that is only a frame, nothing stays
		}
	}
	if len(raw.content) > 0 && len(raw.summary) > 0 {
		it.Summary = clip(collapse(markupText(raw.summary[0].decoded(), 16*lim.MaxSummary)), lim.MaxSummary)
	}
	if it.Summary == "" {
		head := it.ContentText
		if len(head) > 8*lim.MaxSummary {
			head = strings.ToValidUTF8(head[:8*lim.MaxSummary], "")
		}
		it.Summary = clip(collapse(head), lim.MaxSummary)
	}
}

func titleText(m markup, limit int) string {
	if m.typ == "text" && !strings.Contains(m.value, "<") {
		return clip(collapse(m.value), limit)
	}
	return plainLine(m.value, limit)
}

// isPlain reports whether markup is plain text: it says so, or it says nothing
// and holds no tag and no reference.
func (m markup) isPlain() bool {
	switch strings.ToLower(m.typ) {
	case "text", "plain", "text/plain":
		return true
	case "":
		return !looksLikeHTML(m.value)
	}
	return false
}

// isBinary reports whether markup is declared as something else than text.
func (m markup) isBinary() bool {
	typ := strings.ToLower(m.typ)
	return strings.Contains(typ, "/") && !strings.HasPrefix(typ, "text/") &&
		!strings.Contains(typ, "xml") && !strings.Contains(typ, "html")
}

// markupHTML returns markup as HTML, not sanitised.
func markupHTML(m markup) string {
	switch {
	case m.isBinary():
		return ""
	case !m.isPlain():
		if strings.Contains(strings.ToLower(m.typ), "xhtml") || strings.Contains(m.value, ":div") {
			return dropPrefix(m.value)
		}
		return dropSections(m.value)
	}
	var b strings.Builder
	for _, paragraph := range strings.Split(strings.ReplaceAll(m.value, "\r\n", "\n"), "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
			b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(paragraph), "\n", "<br>") + "</p>")
		}
	}
	return b.String()
}

// markupText returns the plain text of markup, at most limit bytes.
func markupText(m markup, limit int) string {
	switch {
	case m.isBinary():
		return ""
	case m.isPlain():
		return clean(m.value, limit)
	}
	return htmlText(markupHTML(m), limit)
}

// dropPrefix removes the namespace prefix of embedded XHTML, of which the
// first tag tells the name: <xhtml:div> becomes <div>.
func dropPrefix(s string) string {
	open := strings.IndexByte(s, '<')
	if open < 0 {
		return s
	}
	p := prefix(tagName([]byte(s[open+1 : min(len(s), open+64)])))
	if p == "" {
		return s
	}
	p = s[open+1:open+1+len(p)] + ":"
	return strings.NewReplacer("<"+p, "<", "</"+p, "</").Replace(s)
}

// looksLikeHTML reports whether a text holds a tag that HTML knows, or a
// character reference.
func looksLikeHTML(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '&':
			window := s[i:min(len(s), i+40)]
			if end := strings.IndexByte(window, ';'); end > 1 && html.UnescapeString(window[:end+1]) != window[:end+1] {
				return true
			}
		case '<':
			rest := strings.TrimPrefix(s[i+1:min(len(s), i+20)], "/")
			if name := tagName([]byte(rest)); atom.Lookup([]byte(strings.ToLower(string(name)))) != 0 || strings.HasPrefix(rest, "!--") {
				return true
			}
		}
	}
	return false
}

func categoriesOf(list []string, limit int) []string {
	var out []string
	for _, c := range list {
		if c = plainLine(c, 200); c != "" && !slices.Contains(out, c) {
			if out = append(out, c); len(out) == limit {
				break
			}
		}
	}
	return out
}

func enclosuresOf(list []Enclosure, r resolver, limit int) []Enclosure {
	var out []Enclosure
	for _, e := range list {
		e.URL = r.link(e.URL, false)
		known := slices.ContainsFunc(out, func(o Enclosure) bool { return o.URL == e.URL })
		if e.URL == "" || known {
			continue
		}
		e.Type = mediaType(e.Type)
		if out = append(out, e); len(out) == limit {
			break
		}
	}
	return out
}

// mediaType returns a media type without parameters, empty when it is none.
func mediaType(s string) string {
	s, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(s)), ";")
	if len(s) > 100 || strings.Count(s, "/") != 1 || strings.ContainsAny(s, " <>\"'\\") {
		return ""
	}
	return s
}
