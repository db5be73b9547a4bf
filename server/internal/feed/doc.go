// Package feed turns the bytes of a feed document into items: bytes in, items
// out, without network, storage or clock.
//
// The way of a document, one file each; the stages that a document passed, and
// what each mended, are in [Document.Stages]:
//
//	decode     bytes of any charset (charset.go) -> valid UTF-8 without control
//	           characters
//	lex, scan  one tolerant pass over the tags: is it well formed, is it safe,
//	           where are its items, what did the items say that the parser loses
//	namespace  the root gets the namespace of its format
//	repair     a broken document is written anew as a well-formed one (jsondoc.go
//	           and jsonrepair.go for JSON); mend counts what was mended, and in which item
//	assemble   the document that the parser gets: marked, cut to its limits
//	lift       long texts go past the parser, and are decoded when needed
//	xmlfeed    gofeed parses it (rss.go, atom.go, media.go map its result); jsonfeed.go
//	salvage    item by item, when the parser refuses the whole
//	normalise  fields, links, dates (date.go, dateparse.go), authors, identity (identity.go)
//	finish     what is costly, for the items that are not known (ParseDeferred)
//	sanitise   HTML by policy, read again by htmllex, plain text in the same pass (text.go)
//	hash       what decides about "changed" and "the same text"
//	inspect    all of it for a person, with advice for the publisher
//
// No entity of a document type is ever expanded, nothing that a document names
// is ever loaded, and every step is bounded, see [Limits].
package feed
