// Package app is the only place where the parts of the server are put
// together: Open for the commands that work on the database, Serve for the
// server itself.
package app
