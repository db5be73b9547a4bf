package ingest

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
	"github.com/peermesh/kgl-backend/server/internal/outbound"
)

// Sealer encrypts what is stored. An *auth.Sealer and an *auth.FileSealer are
// ones.
type Sealer interface {
	// Seal returns plaintext encrypted, as printable text that is bound to a
	// purpose and to the id of the row that it stands in.
	Seal(purpose, id string, plaintext []byte) (string, error)
	// Open returns the plaintext of what Seal gave for the same purpose and id.
	Open(purpose, id, sealed string) ([]byte, error)
}

// SealSource is the purpose under which the credentials of a source are sealed;
// the id is that of the source.
const SealSource = "source"

// Vault seals the request headers and the basic authentication of sources.
type Vault struct{ sealer Sealer }

// NewVault returns a vault. Without a sealer it refuses what is given to it.
func NewVault(sealer Sealer) *Vault { return &Vault{sealer: sealer} }

// sealedCredentials is what is sealed, as JSON.
type sealedCredentials struct {
	Header   http.Header `json:"header,omitempty"`
	User     string      `json:"user,omitempty"`
	Password string      `json:"password,omitempty"`
}

var errNoSealer = kgl.Errorf(kgl.CodeUnavailable, "this process has no key for the secrets of sources")

// SealCredentials returns the credentials of a source as they are stored, and
// the names of the headers for people, sorted; both are empty when there is
// nothing to seal. CodeInvalid: they cannot be sent; the fields are
// request_headers and authentication.
func (v *Vault) SealCredentials(sourceID string, c outbound.Credentials) (sealed string, names []string, err error) {
	if err := c.Check("request_headers", "authentication"); err != nil {
		return "", nil, err
	}
	header := http.Header{}
	for name, values := range c.Header {
		name = http.CanonicalHeaderKey(name)
		header[name] = append(header[name], values...)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(header) == 0 && c.User == "" && c.Password == "" {
		return "", nil, nil
	}
	if v == nil || v.sealer == nil {
		return "", nil, errNoSealer
	}
	plain, err := json.Marshal(sealedCredentials{Header: header, User: c.User, Password: c.Password})
	if err == nil {
		sealed, err = v.sealer.Seal(SealSource, sourceID, plain)
	}
	if err != nil {
		return "", nil, kgl.Wrap(err, kgl.CodeInternal, "the credentials of the source could not be sealed")
	}
	return sealed, names, nil
}

// OpenCredentials is the reverse of SealCredentials.
func (v *Vault) OpenCredentials(sourceID, sealed string) (outbound.Credentials, error) {
	if sealed == "" {
		return outbound.Credentials{}, nil
	}
	if v == nil || v.sealer == nil {
		return outbound.Credentials{}, errNoSealer
	}
	var c sealedCredentials
	plain, err := v.sealer.Open(SealSource, sourceID, sealed)
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	if err != nil {
		return outbound.Credentials{}, kgl.Wrap(err, kgl.CodeInternal, "the credentials of the source cannot be opened: they were sealed under another key")
	}
	return outbound.Credentials{Header: c.Header, User: c.User, Password: c.Password}, nil
}
