// Package transfer copies a whole database into another one, of the same engine
// or of the other one: docs/decisions/0008-moving-a-database.md.
//
// The source is locked against writes and read in the order of the primary
// keys. The target is filled without foreign keys and secondary indexes, batch
// by batch, each in a transaction that also records how far the copy has come
// (store.CopyMarker). Then it gets its indexes and keys back, is read as a
// whole and compared with what was read of the source.
//
// # Checksums
//
// The checksum of a row is the SHA-256 of its values in the order of the
// columns, each as one byte for its kind and its content:
//
//	0  NULL       nothing
//	1  integer    8 bytes, big-endian
//	2  double     8 bytes of IEEE 754, big-endian; the negative zero as zero
//	3  boolean    one byte, 0 or 1
//	4  text       the length in bytes as 8 bytes, big-endian, and the bytes
//	5  bytes      the same
//
// The checksum of a table is the sum of those of its rows, as big-endian
// numbers of 256 bits, modulo 2^256: it does not depend on the order in which
// rows are read, and goes on from where a copy was broken off.
package transfer
