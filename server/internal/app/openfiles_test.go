package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/config"
)

func TestWarningOfAnOpenDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kgl.db")
	cfg, err := config.Load([]string{"KGL_DATABASE_URL=sqlite:///" + path})
	if err != nil {
		t.Fatal(err)
	}
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o666: true} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		warnOfOpenFile(cfg, Env{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if strings.Contains(log.String(), "chmod 600") != warned {
			t.Errorf("mode %o: %s", mode, &log)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
