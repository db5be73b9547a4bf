package cli

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/app"
	"github.com/peermesh/kgl-backend/server/internal/demo"
)

// demoDatabase is in a folder of its own, since keys and the first password lie
// beside a database.
const demoDatabase = "sqlite:///data/demo/kgl.db"

func newDemo(env *Env) *cobra.Command {
	var feedsAddr, addr string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve on bundled sample feeds, without internet",
		Long: `Demo is 'kgl serve' on five sample feeds that are served by the same process. It
keeps its own database in ./data/demo unless KGL_DATABASE_URL is set, and
subscribes its feeds whatever KGL_SEED_OPML says. Only the address of the sample
feeds is opened in the guard of outgoing requests.`,
		Example: `  kgl demo
  kgl demo --addr 127.0.0.1:8100 --feeds-addr 127.0.0.1:8109`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			overrides := []string{"KGL_SEED_OPML=none"}
			if !env.isSet("KGL_DATABASE_URL") {
				overrides = append(overrides, "KGL_DATABASE_URL="+demoDatabase)
			}
			if cmd.Flags().Changed("addr") {
				overrides = append(overrides, "KGL_ADDR="+addr)
			}
			cfg, appEnv, err := env.load(overrides...)
			if err != nil {
				return err
			}
			feeds, err := serveSamples(feedsAddr, env)
			if err != nil {
				return err
			}
			defer feeds.close()
			return serve(cmd.Context(), cfg, appEnv, app.ServeOptions{
				OnReady: announce(env.Stderr), TrustedFeedOrigin: feeds.origin, Subscriptions: feeds.urls,
			})
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "", "address to listen on (default: KGL_ADDR, or 127.0.0.1:8000)")
	cmd.Flags().StringVar(&feedsAddr, "feeds-addr", "127.0.0.1:8009", "address of the sample feeds; part of their URLs, so keep it")
	return cmd
}

// isSet reports whether the environment gives a variable, or a file for it, a
// value.
func (e *Env) isSet(name string) bool {
	for _, pair := range e.Environ {
		key, value, _ := strings.Cut(pair, "=")
		if value != "" && (key == name || key == name+"_FILE") {
			return true
		}
	}
	return false
}

// samples is the running server of the sample feeds.
type samples struct {
	server *http.Server
	origin string
	urls   []string
}

func serveSamples(addr string, env *Env) (*samples, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("the sample feeds cannot be served; choose another --feeds-addr: %w", err)
	}
	s := &samples{origin: "http://" + listener.Addr().String()}
	handler, err := demo.New(s.origin, env.Clock)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	for _, f := range handler.Feeds() {
		s.urls = append(s.urls, f.URL)
	}
	s.server = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with close
	return s, nil
}

func (s *samples) close() { _ = s.server.Close() }
