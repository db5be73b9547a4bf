// Package graph holds what people do with the knowledge graph through the API:
// entities and relationships, which they write, merge and reject, and questions to
// the whole: what is around entities, and how two of them are connected. Every
// write is validated and stored with its event and its audit row in one
// transaction.
package graph
