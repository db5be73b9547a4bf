package outbound

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Config is what New needs. Its zero value, with a UserAgent, is a client
// under the strictest policy and the default limits.
type Config struct {
	// UserAgent is sent with every request that sets none of its own. It must
	// say who we are; see UserAgent (the function) for the usual form.
	UserAgent string
	Policy    Policy
	Limits    Limits

	// Resolver looks names up. Nil means the pure Go resolver, also in a
	// build with cgo: the resolver of the C library takes "0x7f.1" for an
	// address. The guard does not rely on it.
	Resolver *net.Resolver
	// RootCAs verifies servers. Nil means the roots of the system.
	RootCAs *x509.CertPool
}

// Policy says where requests may go. The zero value allows public addresses
// on ports 80 and 443 only.
type Policy struct {
	// AllowedNetworks are let through although they are not public, such as
	// 127.0.0.0/8 for a local farm of feeds. Inside them every port is free.
	// The metadata services of clouds stay refused, whatever network they lie
	// in, unless a network of one address (/32, /128) names them.
	AllowedNetworks []netip.Prefix
	// AllowedPorts are the ports of public addresses; empty means 80 and 443.
	AllowedPorts []uint16
	// TrustedOrigins name peers by explicit configuration, such as
	// "http://127.0.0.1:8001" for the AI module: scheme, host and port. For
	// exactly these origins the address guard is open. A redirect from
	// elsewhere never leads into one.
	//
	// Whoever may choose the URL of a request may reach the trusted origins
	// of its client. So a client that fetches what users name gets none, and
	// each trusted peer gets a client of its own.
	TrustedOrigins []string
}

// Limits bound one request. A field that is zero takes its default.
type Limits struct {
	MaxBody      int64         // bytes of the body after decoding; default 10 MiB
	MaxHeader    int64         // bytes of all response headers, interim responses included; default 64 KiB
	MaxRedirects int           // hops that Get follows; default 5, negative for none
	Total        time.Duration // the whole exchange: redirects, headers and body; default 30 s
	Dial         time.Duration // name resolution and connect; default 10 s
	TLS          time.Duration // TLS handshake; default 10 s
	Header       time.Duration // from the request written to the response headers; default 20 s
	ConnsPerHost int           // connections to one host and port; default 4
	IdleConns    int           // kept-alive connections in all; default 32
	IdlePerHost  int           // kept-alive connections to one host and port; default 2
}

// The default limits, and bounds that are not configurable.
const (
	DefaultMaxBody      = 10 << 20
	DefaultMaxHeader    = 64 << 10
	DefaultMaxRedirects = 5
	DefaultTotal        = 30 * time.Second
	DefaultDial         = 10 * time.Second
	DefaultTLS          = 10 * time.Second
	DefaultHeader       = 20 * time.Second
	DefaultConnsPerHost = 4
	DefaultIdleConns    = 32
	DefaultIdlePerHost  = 2

	// MaxURLBytes is the length of the longest URL that is fetched, given or
	// redirected to.
	MaxURLBytes = 4096

	idleConnTimeout = 30 * time.Second
	// A connection of HTTP/2 that was silent for so long is asked whether it
	// still lives, and given up without an answer: nothing else would tell
	// the next request that its peer is gone.
	http2Silence = 10 * time.Second
	http2Ping    = 5 * time.Second
	// maxDialAttempts bounds the addresses of one name that are tried, so
	// that a name with a thousand records costs no more than another.
	maxDialAttempts = 10
)

// UserAgent returns the usual form of a user agent: product and version, and
// where the people behind it can be found, such as
// "KGL-Backend/1.2.0 (+https://example.org/kgl)".
func UserAgent(version, contact string) string {
	if version == "" {
		version = "dev"
	}
	if contact == "" {
		return "KGL-Backend/" + version
	}
	return fmt.Sprintf("KGL-Backend/%s (+%s)", version, contact)
}

// withDefaults returns the configuration with every default filled in, or an
// error that names the field that cannot be used.
func (cfg Config) withDefaults() (Config, error) {
	if strings.TrimSpace(cfg.UserAgent) == "" || !httpguts.ValidHeaderFieldValue(cfg.UserAgent) {
		return Config{}, errors.New("outbound: Config.UserAgent must be one line of text that says who we are")
	}
	if len(cfg.Policy.AllowedPorts) == 0 {
		cfg.Policy.AllowedPorts = []uint16{80, 443}
	}
	for i, p := range cfg.Policy.AllowedNetworks {
		if !p.IsValid() {
			return Config{}, fmt.Errorf("outbound: Policy.AllowedNetworks[%d] is not a network", i)
		}
	}
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return Config{}, err
	}
	cfg.Limits = limits
	if cfg.Resolver == nil {
		cfg.Resolver = &net.Resolver{PreferGo: true}
	}
	return cfg, nil
}

func (l Limits) withDefaults() (Limits, error) {
	ok := fill(&l.MaxBody, DefaultMaxBody) && fill(&l.MaxHeader, DefaultMaxHeader) &&
		fill(&l.Total, DefaultTotal) && fill(&l.Dial, DefaultDial) &&
		fill(&l.TLS, DefaultTLS) && fill(&l.Header, DefaultHeader) &&
		fill(&l.ConnsPerHost, DefaultConnsPerHost) && fill(&l.IdleConns, DefaultIdleConns) &&
		fill(&l.IdlePerHost, DefaultIdlePerHost)
	if !ok {
		return Limits{}, errors.New("outbound: Limits must not be negative")
	}
	if l.MaxRedirects == 0 {
		l.MaxRedirects = DefaultMaxRedirects
	}
	l.MaxRedirects = max(l.MaxRedirects, 0)
	return l, nil
}

// fill replaces a zero limit by its default and reports whether the limit can
// be used.
func fill[T int | int64 | time.Duration](limit *T, def T) bool {
	if *limit == 0 {
		*limit = def
	}
	return *limit > 0
}
