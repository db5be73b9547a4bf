// Package ingest watches the sources: it keeps them (Sources), decides when
// each is due (Schedule), claims hosts and fetches their due sources (Worker),
// and writes what is new in one transaction with its events and enrichment
// tasks (writer).
//
// Any number of replicas may run workers on one database: a host is leased to
// one worker at a time, and every write carries the lease's fencing token.
package ingest
