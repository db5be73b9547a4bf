// Package feed turns the bytes of a feed document into items: bytes in, items
// out, without network, storage or clock.
//
// The way of a document, one file each:
//
//	decode     bytes of any charset -> valid UTF-8 without control characters
//	lex, scan  one tolerant pass over the tags: is it well formed, is it safe,
//	           where are its items, what did the items say that the parser loses
//	repair     a broken document is written anew as a well-formed one
//	assemble   the document that the parser gets: marked, cut to its limits
//	xmlfeed    gofeed parses it (rss.go, atom.go map its result); jsonfeed.go
//	normalise  fields, links, dates (date.go), authors, identity (identity.go)
//	sanitise   HTML by policy, plain text in the same pass (text.go)
//	hash       what decides about "changed" and "the same text"
//
// No entity of a document type is ever expanded, nothing that a document names
// is ever loaded, and every step is bounded, see [Limits].
package feed
