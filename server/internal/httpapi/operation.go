package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/labstack/echo/v4"
)

// openOperations returns the operations that need no token. The server does
// not start when the contract opens another one, or closes one of these.
func openOperations() []string {
	return []string{
		"getContractJson", "getContractYaml", "getDocs", "getHealth", "getJwks", "getMetrics",
		"getReadiness", "getWellKnownJwks", "issueToken", "login", "refreshTokens",
	}
}

// operation is what the middleware knows of one operation of the contract.
type operation struct {
	id       string
	method   string
	path     string   // as in the contract: /api/v1/sources/{source_id}
	scopes   []string // all of them are needed
	open     bool     // needs no token
	produces []string // media types of successful answers
	consumes string   // media type of the body; empty: no body
	bodyMust bool     // the body is required
	maxBody  int64    // its bytes, where they are not those of the configuration; 0: they are
	query    map[string]queryParameter

	idempotent  bool         // takes an Idempotency-Key
	conditional bool         // takes an If-None-Match
	oauthErrors bool         // answers errors in the shape of RFC 6749
	deprecation *deprecation // nil: it stays
	route       *routers.Route
}

type queryParameter struct{ array bool }

var pathParameter = regexp.MustCompile(`\{([a-z_]+)\}`)

// echoPath returns the path in the form of echo's router.
func (o *operation) echoPath() string { return pathParameter.ReplaceAllString(o.path, ":$1") }

func routeKey(method, echoPath string) string { return method + " " + echoPath }

// loadOperations returns the operations of a contract by routeKey. An operation
// without scopes is an error unless it is one of the open ones.
func loadOperations(doc *openapi3.T) (map[string]*operation, error) {
	ops := map[string]*operation{}
	open := openOperations()
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o, err := newOperation(doc, path, method, item, op)
			if err != nil {
				return nil, fmt.Errorf("contract: %s %s: %w", method, path, err)
			}
			if o.open != slices.Contains(open, o.id) {
				return nil, fmt.Errorf("contract: %s %s: operation %q is open=%t, which is not as listed", method, path, o.id, o.open)
			}
			ops[routeKey(method, o.echoPath())] = o
		}
	}
	return ops, nil
}

func newOperation(doc *openapi3.T, path, method string, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	if op.OperationID == "" {
		return nil, fmt.Errorf("no operationId")
	}
	scopes, open, err := requiredScopes(op)
	if err != nil {
		return nil, err
	}
	deprecation, err := deprecationOf(op)
	if err != nil {
		return nil, err
	}
	o := &operation{
		id: op.OperationID, method: method, path: path, scopes: scopes, open: open,
		query:       map[string]queryParameter{},
		produces:    produced(op),
		oauthErrors: op.OperationID == "issueToken",
		deprecation: deprecation,
		route:       &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op},
	}
	for _, p := range op.Parameters {
		switch {
		case p.Value.In == openapi3.ParameterInQuery:
			o.query[p.Value.Name] = queryParameter{array: p.Value.Schema.Value.Type.Is("array")}
		case p.Value.Name == headerIdempotencyKey:
			o.idempotent = true
		case p.Value.Name == headerIfNoneMatch:
			o.conditional = method == http.MethodGet
		}
	}
	if op.RequestBody != nil {
		o.bodyMust = op.RequestBody.Value.Required
		if bytes, ok := op.Extensions[extensionMaxBody].(float64); ok {
			o.maxBody = int64(bytes)
		}
		for mediaType := range op.RequestBody.Value.Content {
			o.consumes = mediaType
		}
	}
	return o, nil
}

// requiredScopes returns the scopes of an operation. Its security must be
// empty, or offer the same token as oauth2 with scopes and as bearerAuth.
func requiredScopes(op *openapi3.Operation) (scopes []string, open bool, err error) {
	if op.Security == nil {
		return nil, false, fmt.Errorf("no security of its own")
	}
	if len(*op.Security) == 0 {
		return nil, true, nil
	}
	for _, requirement := range *op.Security {
		if len(requirement) != 1 {
			return nil, false, fmt.Errorf("a security requirement must name one scheme")
		}
		for scheme, s := range requirement {
			switch scheme {
			case "oauth2":
				scopes = append(scopes, s...)
			case "bearerAuth":
			default:
				return nil, false, fmt.Errorf("unknown security scheme %q", scheme)
			}
		}
	}
	if len(scopes) == 0 {
		return nil, false, fmt.Errorf("no scopes")
	}
	return scopes, false, nil
}

// produced returns the media types of the successful answers, JSON where they
// have no body.
func produced(op *openapi3.Operation) []string {
	types := map[string]bool{}
	for status, response := range op.Responses.Map() {
		if strings.HasPrefix(status, "2") {
			for mediaType := range response.Value.Content {
				types[mediaType] = true
			}
		}
	}
	if len(types) == 0 {
		return []string{echo.MIMEApplicationJSON}
	}
	return slices.Sorted(maps.Keys(types))
}

// extensionMaxBody is how the contract gives an operation a limit of its own
// for the bytes of its body.
const extensionMaxBody = "x-max-body-bytes"

// raw reports whether the body goes to the handler as it is: no schema says
// what is in it.
func (o *operation) raw() bool { return o.consumes == echo.MIMEApplicationXML }

type operationKey struct{}

// operationFrom returns the operation that ctx works on; nil when the request
// matches none.
func operationFrom(ctx context.Context) *operation {
	op, _ := ctx.Value(operationKey{}).(*operation)
	return op
}

// matchOperation puts the operation of the route into the context. Requests
// that match none go on to the router's not found and not allowed answers.
func (s *server) matchOperation(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req := c.Request()
		if op, ok := s.operations[routeKey(req.Method, c.Path())]; ok {
			c.SetRequest(req.WithContext(context.WithValue(req.Context(), operationKey{}, op)))
		}
		return next(c)
	}
}

// onOperation runs m only for requests that match an operation.
func onOperation(m func(c echo.Context, op *operation, next echo.HandlerFunc) error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if op := operationFrom(c.Request().Context()); op != nil {
				return m(c, op, next)
			}
			return next(c)
		}
	}
}
