package outbound

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// Cases 2, 6, 10 and 11, as far as they can be judged before any look-up.
// The spellings of case 2 are refused here, so that no resolver, pure Go or
// of the C library, ever sees them.
func TestCheckURLRefuses(t *testing.T) {
	c := newClient(t)
	tests := map[string][]string{
		"case 2: spellings of addresses": {
			"http://2130706433/", "http://0x7f000001/", "http://0X7F.1/", "http://0177.0.0.1/", "http://017700000001/",
			"http://127.1/", "http://0/", "http://1.2.3.4.5/", "http://256.1.1.1/", "http://8.8.8.010/", "http://example.0x/",
			"http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://127.0.0.1./", "http://１０.0.0.1/",
			"http://[::1]/", "http://[::]/", "http://[0000::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
			"http://[64:ff9b::7f00:1]/", "http://[fe80::1%25lo]/", "http://[2606:4700::1%25lo]/", "http://[::ffff:8.8.4.4%25lo]/", "http://[127.0.0.1]/",
			"http://LOCALHOST/", "http://localhost./", "http://a.localhost/",
		},
		"case 6: schemes": {
			"file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "data:text/xml,<rss/>", "javascript:alert(1)",
			"//example.org/feed", "/feed", "example.org", "feed:file:///etc/passwd", "feed:feed:http://example.org/", "",
		},
		"case 10: ports": {
			"http://example.org:22/", "http://example.org:0/", "http://example.org:65536/", "http://example.org:80x/",
			"http://example.org:-80/", "http://example.org:8080/", "https://example.org:6379/",
		},
		"case 11: userinfo": {
			"http://u:hunter2@example.org/", "http://u@example.org/", "http://@example.org/", "http://:hunter2@example.org/",
			"http://example.org:80@127.0.0.1/", "http://127.0.0.1%2f@example.org/", "feed://u:hunter2@example.org/",
		},
		"form": {
			"http://", "http:///path", "http:example.org", "http:\\\\127.0.0.1/", "http://127.0.0.1:80\\@example.org/",
			"http://example.org/ a", " http://example.org/", "http://exa\tmple.org/", "http://example.org/\x00", "http://example.org/\xff",
			"http://xn--/", "http://a..example.org/", "http://exa mple.org/", "http://exa%6dple%20.org/", "http://<>/",
			"http://" + strings.Repeat("a", 64) + ".org/", "http://" + strings.Repeat("a.", 130) + "org/",
			"http://example.org/" + strings.Repeat("a", MaxURLBytes), "http://example.org/" + strings.Repeat("ü", MaxURLBytes/3),
		},
	}
	for class, urls := range tests {
		for _, raw := range urls {
			u, err := c.CheckURL(raw)
			if err == nil {
				t.Errorf("%s: %.60q passes as %s", class, raw, u)
				continue
			}
			e, ok := errors.AsType[*kgl.Error](err)
			if !ok || e.Code != kgl.CodeInvalid || len(e.Fields) != 1 || e.Fields[0].Field != "url" {
				t.Errorf("%s: %.60q: not a field error: %#v", class, raw, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: the error repeats the password: %v", class, err)
			}
		}
	}
}

func TestCheckURLAccepts(t *testing.T) {
	c := newClient(t)
	tests := map[string]string{
		"https://example.org/feed.xml":              "https://example.org/feed.xml",
		"HTTP://Example.ORG":                        "http://example.org",
		"https://example.org./a#top":                "https://example.org/a",
		"https://example.org:443/":                  "https://example.org:443/",
		"http://example.org:/":                      "http://example.org/",
		"http://under_score.example.org/":           "http://under_score.example.org/",
		"https://bücher.example/ü?q=ü":              "https://xn--bcher-kva.example/%C3%BC?q=%C3%BC",
		"http://example.org/%0d%0aHost:%20evil":     "http://example.org/%0d%0aHost:%20evil",
		"http://example.org/?a=\"<b>\"":             "http://example.org/?a=%22%3Cb%3E%22",
		"feed:https://example.org/feed":             "https://example.org/feed",
		"feed://example.org/feed":                   "http://example.org/feed",
		"FEED:HTTPS://example.org/feed":             "https://example.org/feed",
		"http://8.8.4.4/":                           "http://8.8.4.4/",
		"http://[2001:4860:4860:0:0:0:0:8844]/feed": "http://[2001:4860:4860::8844]/feed",
		"http://[::ffff:8.8.4.4]/":                  "http://8.8.4.4/",
		"http://1.example.org/":                     "http://1.example.org/",
		"http://0x7f.example/":                      "http://0x7f.example/",
	}
	for raw, want := range tests {
		u, err := c.CheckURL(raw)
		if err != nil {
			t.Errorf("%q: %v", raw, err)
			continue
		}
		if u.String() != want {
			t.Errorf("%q became %q, want %q", raw, u, want)
		}
		if again, err := c.CheckURL(u.String()); err != nil || again.String() != want {
			t.Errorf("%q is not stable: %v, %v", want, again, err)
		}
	}
}

func TestCheckURLFollowsThePolicy(t *testing.T) {
	opened := newClient(t, func(cfg *Config) {
		cfg.Policy.AllowedNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.168.7.0/24")}
		cfg.Policy.AllowedPorts = []uint16{80, 8080}
		cfg.Policy.TrustedOrigins = []string{"http://[::1]:8001"}
	})
	tests := map[string]bool{
		"http://127.0.0.1:9999/":    true,
		"http://localhost:9999/":    true,
		"http://nas.example:9999/":  true, // may lie in an allowed network: judged at dial
		"http://192.168.7.9:1/":     true,
		"http://192.168.8.9/":       false,
		"http://8.8.4.4:8080/":      true,
		"http://8.8.4.4:9999/":      false,
		"https://8.8.4.4/":          false, // 443 is not in this list
		"http://[::1]:8001/extract": true,
		"https://[::1]:8001/":       false,
		"http://[::1]:8002/":        false,
	}
	for raw, want := range tests {
		if _, err := opened.CheckURL(raw); (err == nil) != want {
			t.Errorf("%s: %v, want accepted=%t", raw, err, want)
		}
	}
}

func TestCheckURLSaysWhatIsWrong(t *testing.T) {
	c := newClient(t)
	for raw, want := range map[string]string{
		"http://example.org:22/": "port",
		"http://10.0.0.1/":       "private",
		"http://10.0.0.1:80/":    "private",
		"ftp://example.org/":     "http",
		"http://a@example.org/":  "password",
	} {
		_, err := c.CheckURL(raw)
		if err == nil || !strings.Contains(viewOf(t, err).Message, want) {
			t.Errorf("%s: %v does not say %q", raw, err, want)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://example.org/a?b#c", "feed:http://①.org", "http://[::ffff:1.2.3.4]:80/", "http://u:p@h/"} {
		f.Add(seed)
	}
	c, err := New(Config{UserAgent: testAgent})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := c.CheckURL(raw)
		if err != nil {
			return
		}
		text := u.String()
		again, err := c.CheckURL(text)
		if err != nil || again.String() != text {
			t.Fatalf("%q became %q, which became %v (%v)", raw, text, again, err)
		}
		parsed, err := url.Parse(text)
		if err != nil || parsed.Host != u.Host || parsed.User != nil {
			t.Fatalf("%q is read as another host: %v (%v)", text, parsed, err)
		}
	})
}
