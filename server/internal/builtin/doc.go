// Package builtin extracts entities and relationships without a model and
// without a network: from lists of known names, rows of capitals, words beside
// names, and patterns for money, dates and relations. It reads English prose;
// of text in other languages it takes known names and amounts of money only.
//
// It is honest about what it does not know: every rule has a name, its precision
// is measured on labelled text, and that precision is the confidence of what the
// rule finds. The counts stand in data/precision.txt; `make measure-enrichment`
// writes them, and a test fails when they are not what is measured.
//
// The lists in data/ are plain text, to be read and edited.
package builtin
