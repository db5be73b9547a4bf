package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peermesh/kgl-backend/server/internal/config"
)

func newHealthcheck(env *Env) *cobra.Command {
	var url string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running server whether it is ready",
		Long: `Healthcheck asks /ready of the server at KGL_ADDR and exits with 0 when it is ready,
with 1 when it is not. Containers use it, since their image has no curl.`,
		Example: "  kgl healthcheck --url http://127.0.0.1:8000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				cfg, err := config.Load(env.Environ)
				if err != nil {
					return err
				}
				if url, err = localURL(cfg.HTTP.Addr); err != nil {
					return err
				}
			}
			return env.checkReady(cmd.Context(), url, timeout)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "address of the server (default: KGL_ADDR on this machine)")
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	return cmd
}

// localURL returns the URL under which this machine reaches a listener: one on
// every address is asked on the loopback address.
func localURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("KGL_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

func (e *Env) checkReady(ctx context.Context, base string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/ready", nil)
	if err != nil {
		return usagef("--url: %w", err)
	}
	// The check must reach this very server, whatever proxy the environment names.
	client := &http.Client{Transport: &http.Transport{Proxy: nil}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready (%d): %s", resp.StatusCode, body)
	}
	_, err = fmt.Fprintln(e.Stdout, "ready")
	return err
}
