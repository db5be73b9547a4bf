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

// Ledger remembers which revision of each item was handled, and up to which
// time of publication. It is a file of lines, one for each item, so that a kill
// costs one line at most; a module that has a database keeps this in a table.
type Ledger struct {
	revisions map[string]int
	mark      time.Time
	file      *os.File
}

type entry struct {
	ID          string    `json:"id"`
	Revision    int       `json:"revision"`
	PublishedAt time.Time `json:"published_at"`
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
	e := entry{ID: item.ID, Revision: item.Revision, PublishedAt: item.PublishedAt}
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
	// Publishers date items into the future; such a date must not hide others.
	if e.PublishedAt.After(l.mark) && e.PublishedAt.Before(time.Now()) {
		l.mark = e.PublishedAt
	}
}

// Since returns where to begin to read: overlap before the newest item that was
// handled, as items arrive and are processed out of order. Nil: at the beginning.
func (l *Ledger) Since(overlap time.Duration) *time.Time {
	if l.mark.IsZero() {
		return nil
	}
	since := l.mark.Add(-overlap)
	return &since
}

// Close makes sure of the lines and closes the file. A power cut before that may
// take lines along; their items then come again.
func (l *Ledger) Close() error { return errors.Join(l.file.Sync(), l.file.Close()) }

// endregion ledger
