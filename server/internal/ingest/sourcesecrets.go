package ingest

import (
	"net/http"
	"net/url"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// seal keeps credentials in a source, and shows what people may know of them.
func (s *Sources) seal(src *kgl.Source, c outbound.Credentials) error {
	sealed, names, err := s.vault.SealCredentials(src.ID, c)
	if err != nil {
		return err
	}
	src.Secrets, src.Settings.HeaderNames, src.Settings.Username = sealed, names, c.User
	return nil
}

// changeCredentials replaces the request headers or the authentication of a
// source, or both. Those of the old URL do not go along to another server:
// whoever may change the URL would learn them.
func (s *Sources) changeCredentials(src *kgl.Source, before kgl.Source, p SourcePatch) error {
	moved := src.URL != before.URL && !sameServer(before.URL, src.URL)
	if p.RequestHeader == nil && p.Authorization == nil && (!moved || src.Secrets == "") {
		return nil
	}
	var c outbound.Credentials
	// What is replaced as a whole need not be opened, which a lost key would keep from working.
	if !moved && (p.RequestHeader == nil || p.Authorization == nil) {
		known, err := s.vault.OpenCredentials(src.ID, src.Secrets)
		if err != nil {
			return err
		}
		c = known
	}
	if p.RequestHeader != nil {
		c.Header = *p.RequestHeader
	}
	if p.Authorization != nil {
		c.User, c.Password = p.Authorization.Username, p.Authorization.Password
	}
	return s.seal(src, c)
}

// sameServer reports whether what one URL's server may know is for the other's,
// too: the same host and port, also when it turned to https.
func sameServer(from, to string) bool {
	a, err1 := url.Parse(from)
	b, err2 := url.Parse(to)
	if err1 != nil || err2 != nil {
		return false
	}
	upgraded := a.Scheme == "http" && b.Scheme == "https" && a.Port() == "" && b.Port() == "" && a.Hostname() == b.Hostname()
	return upgraded || a.Scheme == b.Scheme && a.Host == b.Host
}

// Header returns request headers as they are sent.
func Header(values map[string]string) http.Header {
	h := make(http.Header, len(values))
	for name, value := range values {
		h[name] = []string{value}
	}
	return h
}
