package examples

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/peermesh/kgl-backend/gen/client"
)

// region ledger

// Ledger remembers which revision of each item was handled, and the newest change
// among them. It is a file of lines, one for each item, so that a kill
// costs one line at most; a module that has a database keeps this in a table.
type Ledger struct {
	revisions map[string]int
	newest    time.Time // change
	file      *os.File
}

type entry struct {
	ID        string    `json:"id"`
	Revision  int       `json:"revision"`
	ChangedAt time.Time `json:"changed_at"`
}

// OpenLedger reads what was handled before. Close it in the end.
func OpenLedger(path string) (*Ledger, error) {
	l := &Ledger{revisions: map[string]int{}}
	data, err := os.Open(path)
	if err == nil {
		lines := bufio.NewScanner(data)
		for lines.Scan() {
			var e entry
			// A kill can leave half a line; its item is handled again.
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				l.note(e)
			}
		}
		err = errors.Join(lines.Err(), data.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return l, err
}

// Handled reports whether this revision of the item, or a later one, was done.
func (l *Ledger) Handled(item client.Content) bool { return l.revisions[item.ID] >= item.Revision }

// Done records an item. Call it after the work on it, so that a kill in between
// repeats the work rather than leaves it out.
func (l *Ledger) Done(item client.Content) error {
	e := entry{ID: item.ID, Revision: item.Revision, ChangedAt: item.ChangedAt}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	// A line break on both sides: it also ends what a kill left unfinished.
	if _, err := l.file.Write([]byte("\n" + string(line) + "\n")); err != nil {
		return err
	}
	l.note(e)
	return nil
}

func (l *Ledger) note(e entry) {
	l.revisions[e.ID] = max(l.revisions[e.ID], e.Revision)
	if e.ChangedAt.After(l.newest) {
		l.newest = e.ChangedAt
	}
}

// ChangedAfter returns where to begin to read: overlap before the newest change
// that was handled, as items are stored and processed out of order. Nil: at the
// beginning.
func (l *Ledger) ChangedAfter(overlap time.Duration) *time.Time {
	if l.newest.IsZero() {
		return nil
	}
	after := l.newest.Add(-overlap)
	return &after
}

// Close makes sure of the lines and closes the file. A power cut before that may
// take lines along; their items then come again.
func (l *Ledger) Close() error { return errors.Join(l.file.Sync(), l.file.Close()) }

// endregion ledger
