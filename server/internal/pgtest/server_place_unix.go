//go:build unix

package pgtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Data returns the folder of the server's files.
func (s *Server) Data() string { return s.data() }

// Place lets the next Start use the files in another folder, which the caller
// has copied there while the server was stopped, and adds settings such as
// "fsync=on", of which the last one of a name counts.
func (s *Server) Place(folder string, settings ...string) {
	s.place, s.settings = folder, settings
}

// Kill ends the server at once, whatever has become of its files.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.running != nil {
		_ = s.running.Stop()
		s.running = nil
	}
}

// Log returns what the server has said.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}
