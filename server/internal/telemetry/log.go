// Package telemetry makes the logger and the metrics that the rest of the server
// is given. Nothing in it is global.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/peermesh/kgl-backend/server/internal/kgl"
)

// ModuleID is the `module_id` of every log line: which of the modules that run
// side by side wrote it.
const ModuleID = "backend"

// The keys that every log line may have. The first four always are there in
// JSON, the last two when the context knows them.
const (
	KeyTimestamp = "timestamp"
	KeyLevel     = "level"
	KeyMessage   = "message"
	KeyModuleID  = "module_id"
	KeyRequestID = "request_id"
	KeyUserID    = "user_id"
)

// LogOptions say what a logger writes.
type LogOptions struct {
	Level slog.Leveler // least severe level; nil means info
	Text  bool         // readable text instead of JSON
	Color bool         // colours, in text only
}

// NewLogger returns a logger that writes one line for each record to w. The
// request id and the user's id come from the context, and values that look like
// secrets are redacted (see redact).
func NewLogger(w io.Writer, opts LogOptions) *slog.Logger {
	if opts.Level == nil {
		opts.Level = slog.LevelInfo
	}
	if opts.Text {
		return slog.New(newContextHandler(tint.NewTextHandler(w, &tint.Options{
			Level: opts.Level, NoColor: !opts.Color, TimeFormat: time.TimeOnly,
			ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
					return a
				}
				return redactAttr(a)
			},
		})))
	}
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: opts.Level, ReplaceAttr: replaceJSON})
	return slog.New(newContextHandler(handler.WithAttrs([]slog.Attr{slog.String(KeyModuleID, ModuleID)})))
}

// IsTerminal reports whether w is a terminal, where text is more use than JSON.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// replaceJSON gives the standard attributes the names that the other modules
// use, and redacts the rest.
func replaceJSON(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return redactAttr(a)
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String(KeyTimestamp, a.Value.Time().UTC().Format("2006-01-02T15:04:05.000000Z"))
	case slog.LevelKey:
		level, _ := a.Value.Any().(slog.Level)
		return slog.String(KeyLevel, levelName(level))
	case slog.MessageKey:
		return slog.String(KeyMessage, redact(a.Value.String()))
	default:
		return redactAttr(a)
	}
}

func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	case l >= slog.LevelInfo:
		return "info"
	default:
		return "debug"
	}
}

// contextHandler adds what the context knows to each record, at the top level
// even when the logger has groups open.
type contextHandler struct {
	slog.Handler                                   // with all of what follows applied
	root         slog.Handler                      // without
	steps        []func(slog.Handler) slog.Handler // WithAttrs and WithGroup since root
	grouped      bool                              // a step opened a group
	keys         []string                          // top-level keys that steps set
}

func newContextHandler(h slog.Handler) *contextHandler { return &contextHandler{Handler: h, root: h} }

// Handle implements slog.Handler.
func (h *contextHandler) Handle(ctx context.Context, r slog.Record) error {
	attrs := h.contextAttrs(ctx, r)
	if len(attrs) == 0 {
		return h.Handler.Handle(ctx, r)
	}
	if !h.grouped {
		r = r.Clone()
		r.AddAttrs(attrs...)
		return h.Handler.Handle(ctx, r)
	}
	handler := h.root.WithAttrs(attrs)
	for _, step := range h.steps {
		handler = step(handler)
	}
	return handler.Handle(ctx, r)
}

// contextAttrs returns the attributes of the context, less those that the
// caller gave: a JSON object must not have a key twice.
func (h *contextHandler) contextAttrs(ctx context.Context, r slog.Record) []slog.Attr {
	var attrs []slog.Attr
	add := func(key, value string) {
		if value == "" || slices.Contains(h.keys, key) || !h.grouped && recordHas(r, key) {
			return
		}
		attrs = append(attrs, slog.String(key, value))
	}
	add(KeyRequestID, kgl.RequestFrom(ctx).ID)
	if p := kgl.PrincipalFrom(ctx); p.Type == kgl.PrincipalUser {
		add(KeyUserID, p.ID)
	}
	return attrs
}

func recordHas(r slog.Record, key string) bool {
	found := false
	r.Attrs(func(a slog.Attr) bool {
		found = a.Key == key
		return !found
	})
	return found
}

// WithAttrs implements slog.Handler.
func (h *contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := h.with(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
	if !h.grouped {
		next.keys = slices.Clone(h.keys)
		for _, a := range attrs {
			next.keys = append(next.keys, a.Key)
		}
	}
	return next
}

// WithGroup implements slog.Handler.
func (h *contextHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := h.with(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
	next.grouped = true
	return next
}

func (h *contextHandler) with(step func(slog.Handler) slog.Handler) *contextHandler {
	next := *h
	next.Handler = step(h.Handler)
	next.steps = append(slices.Clip(h.steps), step)
	return &next
}
