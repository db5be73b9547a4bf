package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/peermesh/kgl-backend/gen/api"
	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// DefaultMaxBodyBytes is the limit of a request's body unless configured.
const DefaultMaxBodyBytes = 1 << 20

// Config sets how the API is served. The zero value is usable.
type Config struct {
	MaxBodyBytes   int64          // limit of a body; 0: DefaultMaxBodyBytes
	AllowedOrigins []string       // origins that browsers may read from, such as http://localhost:3000
	TrustedProxies []netip.Prefix // peers whose X-Forwarded-For counts
	HSTS           bool           // a proxy in front speaks TLS only
}

// Deps is what the API works with. All of it is required unless a comment says
// otherwise.
type Deps struct {
	Config   Config
	Log      *slog.Logger
	Clock    kgl.Clock
	IDs      kgl.IDSource
	Registry *prometheus.Registry // metrics go in and /metrics comes out

	Authenticator Authenticator
	Tx            Transactor    // the store, for Idempotency-Key
	Refusals      AuditAppender // optional: gets an audit row for each refusal, within bounds
	Limiter       Limiter       // optional: asked before every operation
	Checks        []Check       // of /ready

	Services
}

// Services is what the handlers call.
type Services struct {
	Logins         LoginService
	Keys           KeyPublisher
	Accounts       AccountService
	Sources        SourceService
	Imports        ImportService
	Probe          FeedProbe
	Schedules      ScheduleExplainer
	Content        ContentReader
	ContentDeleter ContentDeleter
	Duplicates     DuplicateService
	Entities       EntityService
	Relationships  RelationshipService
	Merges         MergeService
	Graph          GraphService
	Extractions    ExtractionService
	Runs           RunService
	Work           WorkService
	Dashboard      DashboardReader
	Audit          AuditReader
}

// Limiter says whether a request to an operation may go on now.
// CodeRateLimited: it may not.
type Limiter func(ctx context.Context, operationID string) error

// server serves the API: middleware, the operations of the strict server and
// those that write bytes themselves.
type server struct {
	cfg        Config
	log        *slog.Logger
	clock      kgl.Clock
	ids        kgl.IDSource
	metrics    *metrics
	contract   *contract
	operations map[string]*operation
	validator  *openapi3filter.Options

	auth     Authenticator
	tx       Transactor
	audit    AuditAppender
	refusals *refusalBudget
	limiter  Limiter
	checks   []Check
	ready    readiness
	counts   *sharedCounts[kgl.Dashboard]
	backlog  *sharedCounts[workStats]

	recorders recorders // of the answers to reads

	Services
}

// New returns the API. It fails when the contract has an operation without
// scopes, an open one that is not meant to be open, or one that is not served.
func New(d Deps) (http.Handler, error) {
	s, err := newServer(d)
	if err != nil {
		return nil, err
	}
	return s.handler(d.Registry)
}

// handler puts the middleware before the operations.
func (s *server) handler(registry *prometheus.Registry) (http.Handler, error) {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.writeError(c, err) }
	e.Use(
		s.identify, s.matchOperation, s.observe, s.answerErrors, s.securityHeaders, s.cors, systemOnly,
		onOperation(s.announceEnd), onOperation(s.authorize), onOperation(s.limit), onOperation(s.negotiate),
		onOperation(s.conditional), onOperation(s.validate), onOperation(s.idempotent),
	)
	api.RegisterHandlers(e, api.NewStrictHandler(s, []api.StrictMiddlewareFunc{refuseNothing}))
	metricsHandler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError)})
	e.GET("/metrics", echo.WrapHandler(metricsHandler))
	e.GET("/api/v1/openapi.json", s.getContractJSON)
	e.GET("/api/v1/openapi.yaml", s.getContractYAML)
	e.GET(docsPath, s.getDocs)
	e.GET(docsAssets, docsAsset())
	if err := s.checkRoutes(e.Routes()); err != nil {
		return nil, err
	}
	return headAsGet(e), nil
}

func newServer(d Deps) (*server, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := checkOrigins(d.Config.AllowedOrigins); err != nil {
		return nil, err
	}
	if d.Config.MaxBodyBytes == 0 {
		d.Config.MaxBodyBytes = DefaultMaxBodyBytes
	}
	contract, err := loadContract()
	if err != nil {
		return nil, err
	}
	operations, err := loadOperations(contract.doc)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(d.Registry)
	if err != nil {
		return nil, err
	}
	budget, err := newRefusalBudget()
	if err != nil {
		return nil, err
	}
	return &server{
		cfg: d.Config, log: d.Log, clock: d.Clock, ids: d.IDs, metrics: metrics, contract: contract,
		operations: operations, validator: validatorOptions(), auth: d.Authenticator, tx: d.Tx,
		audit: d.Refusals, refusals: budget, limiter: d.Limiter, checks: d.Checks, Services: d.Services,
		counts: newSharedCounts(d.Dashboard.Dashboard, d.Clock), backlog: newSharedCounts(countWork(d.Work), d.Clock),
	}, nil
}

// check names what is missing.
func (d *Deps) check() error {
	var missing []error
	for name, absent := range map[string]bool{
		"Log": d.Log == nil, "Clock": d.Clock == nil, "IDs": d.IDs == nil, "Registry": d.Registry == nil,
		"Authenticator": d.Authenticator == nil, "Tx": d.Tx == nil, "Logins": d.Logins == nil, "Keys": d.Keys == nil,
		"Accounts": d.Accounts == nil, "Sources": d.Sources == nil, "Imports": d.Imports == nil, "Probe": d.Probe == nil, "Content": d.Content == nil,
		"ContentDeleter": d.ContentDeleter == nil, "Duplicates": d.Duplicates == nil, "Entities": d.Entities == nil, "Relationships": d.Relationships == nil, "Merges": d.Merges == nil, "Graph": d.Graph == nil,
		"Work": d.Work == nil, "Dashboard": d.Dashboard == nil, "Audit": d.Audit == nil,
	} {
		if absent {
			missing = append(missing, fmt.Errorf("httpapi: Deps.%s is missing", name))
		}
	}
	return errors.Join(missing...)
}

// checkRoutes makes sure that the routes are the operations of the contract and
// the files of Swagger UI, and nothing else.
func (s *server) checkRoutes(routes []*echo.Route) error {
	served := map[string]bool{}
	for _, r := range routes {
		key := routeKey(r.Method, r.Path)
		served[key] = true
		if s.operations[key] == nil && r.Path != docsAssets {
			return fmt.Errorf("httpapi: %s is served but not in the contract", key)
		}
	}
	for key := range s.operations {
		if !served[key] {
			return fmt.Errorf("httpapi: %s is in the contract but not served", key)
		}
	}
	return nil
}

// refuseNothing turns the answer of a handler that returned neither a response
// nor an error, which would become an empty 200, into a fault.
func refuseNothing(next api.StrictHandlerFunc, operationID string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		response, err := next(c, request)
		if err == nil && response == nil {
			return nil, kgl.Errorf(kgl.CodeInternal, "%s returned no response", operationID)
		}
		return response, err
	}
}
