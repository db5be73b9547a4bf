package transfer

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/peermesh/kgl-backend/server/internal/store"
)

// markerFormat is the version of state's form. Another one starts over.
const markerFormat = 1

// How far the copy into a target has come.
const (
	phasePreparing = "preparing" // the schema is being made anew
	phaseLoading   = "loading"
)

// state is what the marker in the target says.
type state struct {
	Format int    `json:"format"`
	Phase  string `json:"phase"`
	// Tables holds what was copied of each table that was begun.
	Tables map[string]progress `json:"tables"`
	// Pending are the statements that give the target its indexes and foreign
	// keys back, in this order.
	Pending []string `json:"pending"`
}

// progress is what was copied of a table: the rows up to and with Last.
type progress struct {
	counted
	Last [][]byte `json:"last"` // the values of the key, as encodeKey has them
}

// rows returns how many rows were copied.
func (s *state) rows() int64 {
	var n int64
	for _, p := range s.Tables {
		n += p.Rows
	}
	return n
}

func (s *state) text() (string, error) {
	text, err := json.Marshal(s)
	return string(text), err
}

// parseState reads a marker; nil when it has a form that this binary does not
// know.
func parseState(text string) *state {
	var s state
	if json.Unmarshal([]byte(text), &s) != nil || s.Format != markerFormat || s.Tables == nil {
		return nil
	}
	return &s
}

// The statements on the marker, which both engines understand.
const (
	createMarker = "CREATE TABLE IF NOT EXISTS " + store.CopyMarker +
		" (id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL)"
	dropMarker = "DROP TABLE " + store.CopyMarker
	readMarker = "SELECT state FROM " + store.CopyMarker + " WHERE id = 1"
	saveMarker = "INSERT INTO " + store.CopyMarker + " (id, state) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET state = excluded.state"
)

// encodeKey returns a key in a form that keeps every byte of a text in JSON.
func encodeKey(key []any) ([][]byte, error) {
	out := make([][]byte, len(key))
	for i, value := range key {
		switch v := value.(type) {
		case int64:
			out[i] = strconv.AppendInt(nil, v, 10)
		case string:
			out[i] = []byte(v)
		default:
			return nil, fmt.Errorf("a primary key of type %T", value)
		}
	}
	return out, nil
}

// decodeKey reads a key of a table.
func decodeKey(t table, encoded [][]byte) ([]any, error) {
	if len(encoded) != len(t.key) {
		return nil, fmt.Errorf("a key of %d values, where %s has %d", len(encoded), t.name, len(t.key))
	}
	key := make([]any, len(encoded))
	for i, text := range encoded {
		if t.columns[t.key[i]].kind != kindInt {
			key[i] = string(text)
			continue
		}
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return nil, err
		}
		key[i] = n
	}
	return key, nil
}
