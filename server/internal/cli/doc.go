// Package cli is the command line of kgl: it parses, calls and prints. The
// commands that change the database directly act as the operator.
package cli
