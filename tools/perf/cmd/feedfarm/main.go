// Feedfarm serves synthetic feeds on loopback addresses for load and soak
// tests of feed readers. See the README for its controls.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/peermesh/kgl-backend/tools/perf/internal/corpus"
	"github.com/peermesh/kgl-backend/tools/perf/internal/farm"
)

func main() {
	cfg := corpus.Default()
	var (
		seed     = flag.Uint64("seed", 1, "seed of everything")
		feeds    = flag.Int("feeds", 1000, "how many feeds")
		items    = flag.String("items", "20-50", "items in a document: N or MIN-MAX")
		formats  = flag.String("formats", "60,25,5,10", "weights of RSS 2.0, Atom, RDF, JSON Feed")
		dup      = flag.Float64("dup", cfg.Dup, "share of items that retell a shared story")
		hosts    = flag.Int("hosts", 20, "virtual hosts, each a loopback address 127.1.x.y")
		port     = flag.Int("port", 9700, "port; the controls are on 127.0.0.1 at the same port")
		useGzip  = flag.Bool("gzip", true, "compress for clients that accept it")
		latency  = flag.Duration("latency", 0, "delay before each answer")
		slowBody = flag.Duration("slow-body", 5*time.Second, "how long a slow feed's body takes")
		mix      = flag.String("mix", "", "shares of feeds per behaviour, like 404=0.01,moved=0.02 (see -behaviours)")
		warm     = flag.Bool("prewarm", true, "render all documents before listening")
		list     = flag.Bool("behaviours", false, "list the behaviours a mix can name")
		life     = flag.Duration("life", 3*time.Hour, "stop by itself after this long")
	)
	flag.Parse()
	if *list {
		for k, v := range farm.Behaviours {
			fmt.Printf("%-10s a feed that %s\n", k, v)
		}
		return
	}
	cfg.Seed, cfg.Dup, cfg.Feeds = *seed, *dup, *feeds
	lo, hi, ranged := strings.Cut(*items, "-")
	cfg.MinItems = atoi(lo)
	cfg.MaxItems = cfg.MinItems
	if ranged {
		cfg.MaxItems = atoi(hi)
	}
	for i, s := range strings.Split(*formats, ",") {
		if i < len(cfg.Formats) {
			cfg.Formats[i] = atof(s)
		}
	}
	opt := farm.Options{Corpus: cfg, Feeds: *feeds, Hosts: *hosts, Port: *port, Gzip: *useGzip, Latency: *latency, SlowBody: *slowBody, Mix: map[string]float64{}}
	for _, kv := range strings.Split(*mix, ",") {
		if k, v, ok := strings.Cut(kv, "="); ok {
			opt.Mix[k] = atof(v)
		}
	}
	fm, err := farm.New(opt)
	if err != nil {
		log.Fatal(err)
	}
	if *warm {
		t := time.Now()
		n := fm.Prewarm()
		log.Printf("rendered %d feeds, %.1f MB, in %v", *feeds, float64(n)/1e6, time.Since(t).Round(time.Millisecond))
	}
	srv := &http.Server{Handler: fm, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *life)
	defer cancel()
	addrs := []string{"127.0.0.1"}
	for h := range *hosts {
		addrs = append(addrs, farm.HostAddr(h))
	}
	for _, a := range addrs {
		l, err := net.Listen("tcp", net.JoinHostPort(a, strconv.Itoa(*port)))
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				log.Fatal(err)
			}
		}()
	}
	log.Printf("serving %d feeds on %d hosts; controls at http://127.0.0.1:%d/_farm/", *feeds, *hosts, *port)
	<-ctx.Done()
	_ = srv.Close()
}

func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func atof(s string) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		log.Fatal(err)
	}
	return f
}
