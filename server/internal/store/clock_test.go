package store_test

import (
	"testing"
	"time"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

func TestTime(t *testing.T) {
	at, err := open(t, postgresTemplate.NewDatabase(t)).Time(t.Context())
	if off := time.Since(at).Abs(); err != nil || off > time.Minute {
		t.Errorf("the server's time is off by %v (%v)", off, err)
	}
	_, err = open(t, sqliteURL(t)).Time(t.Context())
	wantCode(t, err, kgl.CodeInternal)
}
