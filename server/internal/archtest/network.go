package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// network is what connects, listens or looks names up, by import path. A "*"
// stands for any end of a name. What was made elsewhere may be passed on, so
// the types of pointedTo are allowed behind a pointer.
var network = map[string][]string{
	"net": {
		"Dial*", "Listen", "ListenConfig", "ListenIP", "ListenMulticastUDP", "ListenPacket", "ListenTCP", "ListenUDP", "ListenUnix", "ListenUnixgram",
		"Lookup*", "Resolve*", "DefaultResolver", "FileConn", "FileListener", "FilePacketConn",
	},
	"net/http": {
		"Client", "DefaultClient", "Transport", "DefaultTransport", "Get", "Head", "Post", "PostForm",
		"ListenAndServe", "ListenAndServeTLS", "NewFileTransport", "ProxyFromEnvironment", "ProxyURL",
	},
	"net/http/httputil":                      {"NewSingleHostReverseProxy", "ReverseProxy", "NewClientConn", "NewProxyClientConn"},
	"crypto/tls":                             {"Dial*", "Listen"},
	"net/smtp":                               {"*"},
	"net/rpc":                                {"*"},
	"golang.org/x/net/http2":                 {"*"},
	"golang.org/x/net/proxy":                 {"*"},
	"golang.org/x/net/websocket":             {"*"},
	"github.com/lestrrat-go/jwx/v2/jwk":      {"Fetch", "NewCache", "NewCachedSet", "NewFetcher"},
	"github.com/getkin/kin-openapi/openapi3": {"ReadFromHTTP", "ReadFromURIs"},
}

var pointedTo = []string{"net/http.Client", "net/http.Transport", "net.Resolver"}

// networkHomes may use the network: a folder with what is below it, or a file.
// Each has its reason.
var networkHomes = []struct{ at, reason string }{
	{"server/internal/outbound", "it is the guarded client"},
	{"server/internal/app/debug.go", "it listens for the operator's profiles, on a loopback address only"},
	{"server/internal/app/serve.go", "it listens for the API's clients"},
	{"server/internal/cli/demo.go", "it listens for those who read the sample feeds"},
	{"server/internal/cli/healthcheck.go", "it asks this very server, on a loopback address that the guard refuses"},
	{"server/internal/store/postgres_dial.go", "it connects to the configured database, on whatever address that is"},
	{"server/internal/enrich/aifake", "it is a server of tests that comes back at the same port after an outage"},
	{"server/internal/pgtest", "it looks for a free port, for tests"},
}

// checkNetwork returns uses of the network that go around package outbound, and
// homes that do not need to be one any more.
func checkNetwork(sources []source, files *token.FileSet) []string {
	var faults []string
	needed := map[string]bool{}
	for _, s := range sources {
		uses := networkUses(s, files)
		if home := networkHome(s.name); home != "" {
			needed[home] = needed[home] || len(uses) > 0
			continue
		}
		faults = append(faults, uses...)
	}
	for _, home := range networkHomes {
		if used, seen := needed[home.at]; seen && !used {
			faults = append(faults, home.at+" does not use the network: strike it from networkHomes")
		}
	}
	return faults
}

func networkHome(name string) string {
	for _, home := range networkHomes {
		if below(name, home.at) {
			return home.at
		}
	}
	return ""
}

func networkUses(s source, files *token.FileSet) []string {
	var faults []string
	names := importNames(s.file)
	if imported, ok := names["."]; ok && network[imported] != nil {
		faults = append(faults, fmt.Sprintf("%s: import . %q hides what reaches the network", s.name, imported))
	}
	behindPointer := map[ast.Node]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if star, ok := n.(*ast.StarExpr); ok {
			behindPointer[star.X] = true
		}
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		name, ok := selector.X.(*ast.Ident)
		if !ok || name.Obj != nil { // a local variable of the same name
			return true
		}
		imported, word := names[name.Name], selector.Sel.Name
		if behindPointer[n] && slices.Contains(pointedTo, imported+"."+word) {
			return true
		}
		if slices.ContainsFunc(network[imported], func(pattern string) bool { return matches(pattern, word) }) {
			faults = append(faults, fmt.Sprintf("%s: %s.%s: what leaves goes through package outbound", at(s, files, n), name.Name, word))
		}
		return true
	})
	return faults
}

// matches reports whether a word is the pattern, or begins with what stands
// before its "*".
func matches(pattern, word string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return word == pattern || open && strings.HasPrefix(word, prefix)
}
