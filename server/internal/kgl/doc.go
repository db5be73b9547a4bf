// Package kgl is the domain of the Knowledge Graph Lab backend: its types, its
// validation, its error codes, the clock, the ids and the store interfaces.
//
// It knows no HTTP and no SQL, and imports the standard library and a UUID
// library only. Every other package of the server may import it.
package kgl
