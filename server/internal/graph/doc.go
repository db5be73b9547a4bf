// Package graph holds what people do with the knowledge graph through the API:
// entities, which they may write, and relationships, which they read. Every
// write is validated and stored with its event and its audit row in one
// transaction.
package graph
