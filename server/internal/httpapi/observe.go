package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// metrics are the numbers of the HTTP layer.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	refusals *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kgl_http_requests_total", Help: "Requests by operation and status.",
		}, []string{"operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kgl_http_request_duration_seconds", Help: "Time from the request's head to the end of the answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .2, .4, .8, 2, 5, 10},
		}, []string{"operation"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kgl_http_requests_in_flight", Help: "Requests that are being answered.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kgl_http_refusals_total", Help: "Requests refused with 401 or 403, by whether an audit row was written.",
		}, []string{"audited"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.inFlight, m.refusals} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// observe counts the request and writes its line in the log: the route, never
// the query string or a header, which may hold secrets.
func (s *server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.clock.Now()
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		err := next(c)
		elapsed := s.clock.Now().Sub(start)

		req, res := c.Request(), c.Response()
		ctx := req.Context()
		name := "none"
		if op := operationFrom(ctx); op != nil {
			name = op.id
		}
		s.metrics.requests.WithLabelValues(name, strconv.Itoa(res.Status)).Inc()
		s.metrics.duration.WithLabelValues(name).Observe(elapsed.Seconds())

		level := slog.LevelInfo
		switch {
		case res.Status >= http.StatusInternalServerError:
			level = slog.LevelError
		case name == "getHealth" || name == "getReadiness" || name == "getMetrics":
			level = slog.LevelDebug
		}
		request := kgl.RequestFrom(ctx)
		attrs := []slog.Attr{
			slog.String("request_id", request.ID), slog.String("method", req.Method), slog.String("route", c.Path()),
			slog.String("operation", name), slog.Int("status", res.Status), slog.Int64("bytes", res.Size),
			slog.Float64("duration_ms", float64(elapsed.Microseconds())/1000), slog.String("address", request.Address),
		}
		if p := kgl.PrincipalFrom(ctx); p.Type == kgl.PrincipalUser {
			attrs = append(attrs, slog.String("user_id", p.ID))
		}
		s.log.LogAttrs(ctx, level, "request", attrs...)
		return err
	}
}

// answerErrors turns what a handler returns as an error, and its panics, into
// an answer. The process lives on after a panic.
func (s *server) answerErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		writer := c.Response().Writer
		defer func() {
			r := recover()
			if r == nil {
				return
			}
			if cause, ok := r.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
				panic(r)
			}
			ctx := c.Request().Context()
			s.log.ErrorContext(ctx, "panic in a handler", "panic", fmt.Sprint(r), "stack", string(debug.Stack()), "request_id", kgl.RequestFrom(ctx).ID)
			unbuffer(c, writer)
			s.writeError(c, kgl.Errorf(kgl.CodeInternal, "panic"))
		}()
		if err := next(c); err != nil {
			unbuffer(c, writer)
			s.writeError(c, err)
		}
		return nil
	}
}
