package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
)

// Sum is the checksum of rows: see the package comment.
type Sum [sha256.Size]byte

// String returns the checksum in hexadecimal digits.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText implements encoding.TextMarshaler.
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sum) UnmarshalText(text []byte) error {
	if len(text) != 2*len(s) {
		return fmt.Errorf("a checksum has %d digits, not %d", 2*len(s), len(text))
	}
	_, err := hex.Decode(s[:], text)
	return err
}

// add adds the checksum of other rows.
func (s *Sum) add(other Sum) {
	var carry uint64
	for at := len(s) - 8; at >= 0; at -= 8 {
		var word uint64
		word, carry = bits.Add64(binary.BigEndian.Uint64(s[at:]), binary.BigEndian.Uint64(other[at:]), carry)
		binary.BigEndian.PutUint64(s[at:], word)
	}
}

// summer computes the checksums of rows. It is used by one goroutine.
type summer struct{ buf []byte }

// row returns the checksum of a row, and about how many bytes the row takes.
func (h *summer) row(row []any) (Sum, int) {
	b := h.buf[:0]
	for _, value := range row {
		b = appendValue(b, value)
	}
	h.buf = b
	return sha256.Sum256(b), len(b)
}

// appendValue appends the canonical form of a value. The sides have made sure
// that there are no others than these.
func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, byte(kindNull))
	case int64:
		return binary.BigEndian.AppendUint64(append(b, byte(kindInt)), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, byte(kindFloat)), math.Float64bits(v+0)) // -0 + 0 is 0
	case bool:
		if v {
			return append(b, byte(kindBool), 1)
		}
		return append(b, byte(kindBool), 0)
	case string:
		return append(binary.BigEndian.AppendUint64(append(b, byte(kindText)), uint64(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(b, byte(kindBytes)), uint64(len(v))), v...)
	default:
		panic(fmt.Sprintf("a value of type %T", value))
	}
}

// counted are rows that were counted and summed.
type counted struct {
	Rows int64 `json:"rows"`
	Sum  Sum   `json:"sum"`
}

func (c *counted) add(sum Sum) {
	c.Rows++
	c.Sum.add(sum)
}
