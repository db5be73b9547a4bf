package ingest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/auth"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

func TestCredentialsAreSealed(t *testing.T) {
	vault := NewVault(auth.NewFileSealer(filepath.Join(t.TempDir(), "key"), rand.Reader))
	given := outbound.Credentials{Header: http.Header{"x-api-key": {"hunter2"}, "Accept-Language": {"de"}}, User: "anna", Password: "geheim"}
	sealed, names, err := vault.SealCredentials("id-1", given)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "hunter2") || fmt.Sprint(names) != "[Accept-Language X-Api-Key]" {
		t.Fatalf("sealed %q, names %v", sealed, names)
	}
	opened, err := vault.OpenCredentials("id-1", sealed)
	if err != nil || opened.Header.Get("X-Api-Key") != "hunter2" || opened.Header.Get("Accept-Language") != "de" ||
		opened.User != "anna" || opened.Password != "geheim" {
		t.Fatalf("opened %v, %v", opened, err)
	}
	if _, err := vault.OpenCredentials("id-2", sealed); kgl.ErrorCode(err) != kgl.CodeInternal {
		t.Errorf("opened for another source: %v", err)
	}
}

func TestCredentialsThatAreNone(t *testing.T) {
	for _, vault := range []*Vault{nil, NewVault(nil)} {
		if sealed, names, err := vault.SealCredentials("id", outbound.Credentials{}); sealed != "" || len(names) > 0 || err != nil {
			t.Errorf("nothing sealed to %q, %v, %v", sealed, names, err)
		}
		if c, err := vault.OpenCredentials("id", ""); err != nil || c.User != "" || len(c.Header) > 0 {
			t.Errorf("nothing opened to %v, %v", c, err)
		}
		_, _, err := vault.SealCredentials("id", outbound.Credentials{User: "anna"})
		if kgl.ErrorCode(err) != kgl.CodeUnavailable {
			t.Errorf("sealed without a key: %v", err)
		}
	}
	for _, c := range []outbound.Credentials{
		{Header: http.Header{"Cookie": {"a"}}}, {Header: http.Header{"X-Key": {"a\r\nb: c"}}}, {User: "a:b"},
	} {
		if _, _, err := NewVault(nil).SealCredentials("id", c); kgl.ErrorCode(err) != kgl.CodeInvalid {
			t.Errorf("%v: %v", c, err)
		}
	}
}
