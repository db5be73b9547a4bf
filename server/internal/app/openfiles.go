package app

import (
	"os"
	"runtime"

	"github.com/peermesh/kgl-backend/server/internal/config"
)

// warnOfOpenFile warns when users of this machine other than the server's can
// read the SQLite file, and with it the hashes of the passwords. The server
// makes it private; a copy from elsewhere need not be. Windows has no such bits.
func warnOfOpenFile(cfg *config.Config, env Env) {
	if cfg.Database.URL.Engine() != config.SQLite || runtime.GOOS == "windows" {
		return
	}
	path := cfg.Database.URL.Path()
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		env.Log.Warn("other users of this machine can open the database: chmod 600 it", "file", path, "mode", info.Mode().Perm().String())
	}
}
