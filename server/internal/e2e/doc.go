// Package e2e holds the tests of the whole application: the typed client of
// gen/client against a running server, as another module would use it, on both
// database engines. Every answer that a test gets is checked against the
// contract, and at the end so is that every documented answer was seen.
//
// Most tests share one server for each engine (TestAPI). Those that move the
// clock, break the database or kill the process have their own.
package e2e
